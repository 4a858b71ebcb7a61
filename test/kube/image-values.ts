/** `name:tag` or `name@sha256:…` as values of the chart. */
export function imageValues(at: string, image: string): string[] {
  const [name = image, digest] = image.split('@');
  const [, repository = name, tag] = /^(.*?)(?::([^:/]+))?$/.exec(name) ?? [];
  return [
    ...['--set', `${at}.repository=${repository}`],
    ...(digest === undefined ? ['--set-string', `${at}.tag=${tag ?? 'latest'}`] : ['--set', `${at}.digest=${digest}`]),
  ];
}

/** An image of Debian's Redis in place of the chart's Valkey. */
export function redisValues(image: string): string[] {
  const programs = ['--set', 'redis.command.server=redis-server', '--set', 'redis.command.cli=redis-cli'];
  return [...imageValues('redis.image', image), ...programs];
}
