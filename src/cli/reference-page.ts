// The reference page of the pipeline language and the command line, in Markdown, made from what the program itself goes
// by: the schemas of the steps, the options of the commands, the table of file formats.

import type { Command, Option } from 'commander';
import { listFormats } from '../formats/index.ts';
import { describeSchema, documentSchema, type StepTable } from '../pipeline/schema.ts';
import type { Schema, Step } from '../pipeline/step.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
const code = (text: string): string => `\`${text}\``;

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The keys of a mapping and of those inside it, one row each: `styles[].weight`. */
function keyRows(schema: Schema, before = ''): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const key = `${before}${name}`;
    const standard =
      part.default !== undefined
        ? code(JSON.stringify(part.default))
        : schema.required?.includes(name)
          ? 'required'
          : '';
    const row = [code(key), describeSchema(outerForm(part)), standard, part.description ?? ''];
    const inner = part.items ? keyRows(part.items, `${key}[].`) : keyRows(part, `${key}.`);
    return [row, ...inner];
  });
}

/** A schema whose inner keys get rows of their own needs no list of them. */
function outerForm(schema: Schema): Schema {
  if (schema.properties) return { type: 'object' };
  if (schema.items?.properties) return { type: 'array', items: { type: 'object' } };
  return schema;
}

function stepSection(step: Step): string {
  const outputs = Object.entries(step.outputs).map(([name, kind]) =>
    name === 'value' ? `a ${kind}` : `a ${kind} (\`@id.${name}\`)`,
  );
  const result =
    outputs.length > 0 ? ` Its result: ${outputs.join(', ')}.` : ' It has no result to refer to.';
  const rows = keyRows({ type: 'object', ...step.schema });
  const keys = rows.length > 0 ? `\n\n${table(['key', 'value', 'default', 'meaning'], rows)}` : '';
  return `### ${step.name}\n\n${upper(step.summary)}.${result}${keys}`;
}

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A command, or those below it. */
function commandSections(command: Command, before = ''): string[] {
  const name = `${before}${command.name()}`;
  return command.commands.length > 0
    ? command.commands.flatMap(inner => commandSections(inner, `${name} `))
    : [commandSection(command, name)];
}

function commandSection(command: Command, name: string): string {
  const usage = `ndconv ${name} ${command.usage()}`.trim();
  const rows = [
    ...command.registeredArguments.map(argument => [
      code(argument.required ? `<${argument.name()}>` : `[${argument.name()}]`),
      argument.description,
    ]),
    ...(command.options as Option[]).map(option => [code(option.flags), option.description]),
  ];
  const options = rows.length > 0 ? `\n\n${table(['argument', 'meaning'], rows)}` : '';
  return `### ndconv ${name}\n\n${upper(command.description())}: \`${usage}\`${options}`;
}

const language = `- \`@id\` or \`@id.output\` stands for the result of another step. The order of the steps in the file does not matter:
  what they refer to runs before them.
- \`\${params.name}\` stands for a parameter, with its type where it is the whole value. There are no expressions.
- \`npm:package/path\` is a file inside an installed package; other paths to read are relative to the pipeline file.
  Paths to write lie in the output folder: \`out/NAME\`, or what \`--out\` names.
- \`--set size=96\` changes a parameter, \`--set content.size=96\` a key of the step \`content\`, for one run. Values are YAML.
- Everything random comes from \`seed\`: the same file, seed and backend give the same bytes.
- Unknown keys, and keys that would have no effect, are errors.`;

const running = `A run writes what the \`save\` steps ask for, \`report.html\` to look at and listen to, and \`run.json\`, the record of what
was run with which versions and what came out. Files appear only when they are complete.

Exit codes: 0 done, 1 the run failed or was stopped, 2 the file or the arguments are wrong, 3 done, but inputs that could
not be used were left out (the report and run.json list them). Ctrl-C finishes the iteration in hand, saves the result so
far and ends with 1; a second one ends at once, with 130. With \`--json\` every line on standard output is one event:
\`start\`, \`backend\`, \`step\`, \`progress\`, \`note\`, \`left-out\`, \`artefact\`, \`skipped\`, \`done\` or \`error\`.`;

/** The page; `program` gives the commands, `steps` what stands under `uses`. */
export function referencePage(program: Command, steps: StepTable): string {
  const document = documentSchema(Object.keys(steps));
  const formats = listFormats().map(({ name, extensions, kinds, reads, writes, summary }) => [
    name,
    extensions.map(code).join(' '),
    kinds.join(', '),
    [...(reads ? ['read'] : []), ...(writes ? ['write'] : [])].join(', '),
    summary,
  ]);
  return `# The pipeline language and the command line

This page is made from the program (\`npm run docs\`); do not edit it.

## A pipeline file

${table(['key', 'value', 'default', 'meaning'], keyRows(document))}

${language}

## Steps

${Object.values(steps).map(stepSection).join('\n\n')}

## Commands

${program.commands.flatMap(command => commandSections(command)).join('\n\n')}

${running}

## File formats

${table(['format', 'extensions', 'holds', '', ''], formats)}
`;
}
