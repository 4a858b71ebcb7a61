/** Values of a node's metrics (operator port), by the name of the sample; labels are not understood. */
export async function readMetrics(operatorUrl: string): Promise<(name: string) => number> {
  const response = await fetch(`${operatorUrl}/metrics`);
  const text = await response.text();
  return (name) => {
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`the node has no metric ${name}`);
    return Number(value);
  };
}
