// Reads one JSON object {query, variables, operationName} a line and answers on one line which root fields
// graphql-js would execute, with their coerced arguments: {"fields": [{"name", "args"}]}, or {"error"}.
// Validation is left out on purpose: what matters is what a server would run, not what it would like.
//
// With "secrets": ["Type.field", …] in the request the answer also has "data": what a server could send
// back, with the text SECRET in those fields.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { buildSchema, execute, isEnumType, isListType, isNonNullType, isObjectType, parse } from "graphql";

const ROOTS = /^type (Query|Mutation|Subscription) \{[^}]*\}/gm;
const LEAVES = { Int: 1, Float: 1.5, Boolean: true };

// Root fields may answer null here, so none of them may promise a value.
const source = readFileSync(process.argv[2], "utf8").replace(ROOTS, (root) =>
  root.replace(/!$/gm, ""),
);
const schema = buildSchema(source, { assumeValid: true });

function value(type, text) {
  if (isNonNullType(type)) return value(type.ofType, text);
  if (isListType(type)) return [value(type.ofType, text), value(type.ofType, text)];
  if (isObjectType(type)) return {};
  if (isEnumType(type)) return type.getValues()[0].value;
  return LEAVES[type.name] ?? text;
}

function asked(request) {
  const fields = [];
  const fieldResolver = (_source, args, _context, info) => {
    if (info.path.prev === undefined) fields.push({ name: info.fieldName, args });
    if (request.secrets === undefined) return null;
    const name = `${info.parentType.name}.${info.fieldName}`;
    return value(info.returnType, request.secrets.includes(name) ? "SECRET" : "plain");
  };
  const result = execute({
    schema,
    document: parse(request.query),
    variableValues: request.variables,
    operationName: request.operationName,
    fieldResolver,
  });
  const error = result.errors?.[0];
  if (error) return { error: error.message, fields };
  return request.secrets === undefined ? { fields } : { fields, data: result.data };
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
