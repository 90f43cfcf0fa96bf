// Reads one JSON object {query, variables, operationName} a line and answers on one line which root fields
// graphql-js would execute, with their coerced arguments: {"fields": [{"name", "args"}]}, or {"error"}.
// Validation is left out on purpose: what matters is what a server would run, not what it would like.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { buildSchema, execute, parse } from "graphql";

const ROOTS = /^type (Query|Mutation|Subscription) \{[^}]*\}/gm;

// Root fields answer null here, so none of them may promise a value.
const source = readFileSync(process.argv[2], "utf8").replace(ROOTS, (root) =>
  root.replace(/!$/gm, ""),
);
const schema = buildSchema(source, { assumeValid: true });

function asked(request) {
  const fields = [];
  const fieldResolver = (_source, args, _context, info) => {
    fields.push({ name: info.fieldName, args });
    return null;
  };
  const result = execute({
    schema,
    document: parse(request.query),
    variableValues: request.variables,
    operationName: request.operationName,
    fieldResolver,
  });
  const error = result.errors?.[0];
  return error ? { error: error.message, fields } : { fields };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = asked(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
