import type { FormField } from "../api/types";

/** A setting as typed, read as its type says. Empty: unset, so its default holds. */
export function read(field: Pick<FormField, "type">, text: string): { value?: unknown; wrong?: string } {
  if (text === "") return {};
  switch (field.type) {
    case "int":
      return /^[+-]?\d+$/.test(text.trim()) ? { value: Number(text) } : { wrong: "a whole number" };
    case "float":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? { value: Number(text) } : { wrong: "a number" };
    case "bool":
      return text === "true" || text === "false" ? { value: text === "true" } : { wrong: "true or false" };
    case "json":
      try {
        return { value: JSON.parse(text) as unknown };
      } catch {
        return { wrong: 'JSON, as in ["a", 1]' };
      }
    default:
      return { value: text };
  }
}

/** The flat configuration of a run from what was typed, and what is wrong in it by path. */
export function configOf(fields: readonly FormField[], typed: ReadonlyMap<string, string>): { config: Record<string, unknown>; wrong: Map<string, string> } {
  const config: Record<string, unknown> = {};
  const wrong = new Map<string, string>();
  for (const field of fields) {
    const text = typed.get(field.path) ?? "";
    if (field.type === "enum" && text !== "") {
      config[field.path] = field.choices[Number(text)];
      continue;
    }
    const found = read(field, text);
    if (found.wrong) wrong.set(field.path, found.wrong);
    else if ("value" in found) config[field.path] = found.value;
  }
  return { config, wrong };
}

/** A setting of a run that is gone on with: what the run had is its default, and it is asked for only if it `lacks`. */
export function asBefore(field: FormField, config: unknown, lacks: boolean): FormField {
  const had = within(config, field.path.split("."));
  return { ...field, required: lacks, ...(had === undefined ? {} : { default: had }) };
}

/** A value by its flat path in a nested configuration, whose names have `ops` and `config` between them. */
function within(at: unknown, [name, ...rest]: string[]): unknown {
  if (name === undefined) return at;
  if (typeof at !== "object" || at === null) return undefined;
  const inside = at as Record<string, unknown>;
  return within(inside[name], rest) ?? within(inside["ops"], [name, ...rest]) ?? within(inside["config"], [name, ...rest]);
}

/** A default as it stands in a field. */
export function asTyped(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** `team=data, nightly=` as labels. */
export function tagsOf(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const part of text.split(",")) {
    const [name = "", ...rest] = part.split("=");
    if (name.trim()) out[name.trim()] = rest.join("=").trim();
  }
  return out;
}
