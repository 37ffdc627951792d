// The API, from its own description: what it answers, with which parameters.

import { api } from '../api.js';
import { h } from '../dom.js';

/** Draws every address of the API, by what it is about. */
export default async function view(root, _params, _query, signal) {
  document.title = 'API · mediafm';
  const described = await api.get('/openapi.json', null, { signal });
  const groups = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const tag = about.tags?.[0] ?? 'other';
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push({ method, path, about });
    }
  }
  root.append(
    h('div', { class: 'api-docs' },
      h('h1', null, 'API'),
      h('p', { class: 'lead' }, described.info.description, ' Errors are ', h('code', null, '{"error": "one line"}'),
        '. With a token, send it as ', h('code', null, 'Authorization: Bearer …'), '. The whole description: ',
        h('a', { href: '/api/openapi.json' }, 'openapi.json'), '.'),
      [...groups].map(([tag, operations]) => group(tag, operations, described)),
    ),
  );
}

function group(tag, operations, described) {
  return h('section', { 'aria-labelledby': `tag-${tag}` },
    h('h2', { id: `tag-${tag}` }, tag),
    operations.map((one) => operation(one, described)));
}

function operation({ method, path, about }, described) {
  const parameters = about.parameters ?? [];
  const body = about.requestBody?.content?.['application/json']?.schema;
  const answer = about.responses?.['200']?.content?.['application/json']?.schema;
  const simple = method === 'get' && !parameters.some((one) => one.required);
  return h('details', { class: 'operation' },
    h('summary', null,
      h('span', { class: `method ${method}` }, method.toUpperCase()), ' ',
      h('code', null, path), ' ', h('span', { class: 'what' }, about.description)),
    h('div', { class: 'inside' },
      parameters.length ? table(parameters) : h('p', { class: 'muted' }, 'No parameters.'),
      body && h('p', null, 'Body: ', shape(body, described)),
      answer && h('p', null, 'Answer: ', shape(answer, described)),
      simple && h('p', null, h('a', { href: path }, `Open ${path}`))));
}

function table(parameters) {
  return h('table', null,
    h('thead', null, h('tr', null, ['parameter', 'kind', 'default', 'what'].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', null, parameters.map((one) => h('tr', null,
      h('th', { scope: 'row' }, h('code', null, one.name), one.required ? ' (needed)' : ''),
      h('td', null, kind(one.schema)),
      h('td', null, one.schema.default === undefined ? '' : JSON.stringify(one.schema.default)),
      h('td', null, one.description ?? '')))));
}

/** A schema in a few words. */
function kind(schema) {
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(kind).filter((one) => one !== 'null').join(' or ');
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.type === 'array') return `list of ${kind(schema.items ?? {})}`;
  const { minimum, maximum } = schema;
  const bounds = minimum !== undefined && maximum !== undefined ? ` ${minimum} … ${maximum}` : '';
  return `${schema.type ?? 'anything'}${bounds}`;
}

function shape(schema, described) {
  const name = schema.$ref?.split('/').pop();
  const whole = name ? described.components.schemas[name] : schema;
  const fields = Object.entries(whole.properties ?? {});
  return [h('strong', null, name ?? kind(schema)),
    fields.length > 0 && h('ul', { class: 'fields' }, fields.map(([field, about]) => h('li', null,
      h('code', null, field), ` ${kind(about)}`, about.description ? `: ${about.description}` : '')))];
}
