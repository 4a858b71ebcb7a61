import type { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { Failed, UsageError } from '../failures.ts';
import { command, integer, run } from '../options.ts';
import { groupSteps } from '../workflow/group.ts';
import { personalSteps } from '../workflow/personal.ts';
import { runSteps } from '../workflow/runner.ts';
import { World } from '../workflow/world.ts';

const WORKFLOWS = { personal: personalSteps, group: groupSteps } as const;

/** `enc test`: does a node do what it must? */
export function testCommand(modules: CliModules): Command {
  return command('test', 'try a node from end to end', ['node', 'admin'])
    .requiredOption('--workflow <name>', 'personal (one writer, all proofs) or group (the roles of a chat room)')
    .option('--deadline <seconds>', 'how long to wait for a node that is away or busy', integer, 300)
    .action(
      run(modules, async (context, options) => {
        const workflow = options['workflow'] as string;
        if (workflow !== 'personal' && workflow !== 'group') throw new UsageError('--workflow is personal or group.');
        const deadline = Date.now() + (options['deadline'] as number) * 1000;
        const world = new World(context.remote, await context.secp(), context.token, deadline);
        const steps = WORKFLOWS[workflow](world);
        const { passed, results, cause } = await runSteps(steps, context.out, deadline);
        context.out.result(`${passed}/${steps.length} ${passed === steps.length ? 'ok' : 'failed'}`, {
          workflow,
          passed,
          steps: steps.length,
          results,
        });
        if (passed === steps.length) return;
        const failed = results.at(-1);
        // No node at all is exit code 3; the step's own line has said the rest.
        if (cause instanceof Error && (cause as { code?: string }).code === 'unreachable') throw cause;
        throw new Failed(`Step ${failed?.step} (${failed?.name}) failed: ${failed?.detail}`);
      }),
    );
}
