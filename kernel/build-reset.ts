import binaryen from 'assemblyscript/binaryen';

/**
 * A step of the compiler that adds the export `reset`: every variable of the module has its first value again, and what
 * runs once when an instance is made runs again. With its memory put back besides, an instance can't be told from a new
 * one (wasm-instances.ts).
 */
export const addReset = {
  afterCompile(module: binaryen.Module): void {
    const { i32, i64, none } = binaryen;
    const steps: number[] = [];
    for (let i = 0; i < module.getNumGlobals(); i++) {
      const { name, type, mutable, init } = binaryen.getGlobalInfo(module.getGlobalByIndex(i));
      if (!mutable) continue;
      const first = binaryen.getExpressionInfo(init) as binaryen.ConstInfo;
      if (first.id !== binaryen.ConstId || (type !== i32 && type !== i64))
        throw new Error(`${name} does not begin as a constant integer`);
      const value = BigInt(first.value as number | bigint);
      steps.push(module.global.set(name, type === i32 ? module.i32.const(Number(value)) : module.i64.const(value)));
    }
    const start = module.getStart();
    if (start) steps.push(module.call(binaryen.getFunctionInfo(start).name, [], none));
    module.addFunction('reset', none, none, [], module.block(null, steps));
    module.addFunctionExport('reset', 'reset');
  },
};
