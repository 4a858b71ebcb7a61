import { readFile } from 'node:fs/promises';
import { UsageError } from './failures.ts';

/** The text an option stands for: itself, `@file`, or `@-` for standard input. */
export async function textOf(value: string, stdin: NodeJS.ReadStream): Promise<string> {
  if (!value.startsWith('@')) return value;
  if (value === '@-') return readAll(stdin);
  return readFile(value.slice(1), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${value.slice(1)} can't be read: ${error.message}`);
  });
}

/** The JSON value an option stands for. */
export async function jsonOf(value: string, stdin: NodeJS.ReadStream): Promise<unknown> {
  const text = await textOf(value, stdin);
  try {
    return JSON.parse(text);
  } catch (error) {
    const hint = value.startsWith('@') ? '' : ' Quote it for the shell, as in --content \'{"text":"hello"}\'.';
    throw new UsageError(`This is no JSON: ${(error as Error).message}.${hint}`);
  }
}

export async function readAll(stdin: NodeJS.ReadStream): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const chunk of stdin) text += chunk;
  return text;
}
