import { useId } from "react";
import type { FormField } from "../api/types";
import { asTyped } from "../logic/settings";

interface Props {
  fields: FormField[];
  typed: ReadonlyMap<string, string>;
  wrong: Map<string, string>;
  /** What holds where nothing is typed. */
  unset: string;
  onType: (path: string, value: string) => void;
}

/** The settings of one op. A field that is left empty keeps its default. */
export function ConfigFields({ fields, ...rest }: Props) {
  return (
    <div className="config">
      {fields.map((field) => (
        <Setting key={field.path} field={field} {...rest} />
      ))}
    </div>
  );
}

function Setting({ field, typed, wrong, unset, onType }: Omit<Props, "fields"> & { field: FormField }) {
  const id = useId();
  const text = typed.get(field.path) ?? "";
  const problem = wrong.get(field.path);
  const standard = field.secret ? "" : asTyped(field.default);
  const empty = field.required ? "required" : standard === "" ? unset : standard;
  const common = {
    id,
    className: "field",
    value: text,
    "aria-invalid": problem !== undefined,
    "aria-describedby": `${id}h`,
    required: field.required,
  };
  return (
    <>
      <label htmlFor={id} className="cut" title={field.path}>
        {field.name}
      </label>
      {field.type === "bool" ? (
        <select {...common} onChange={(event) => onType(field.path, event.target.value)}>
          <option value="">{field.required ? "choose" : `${unset} (${standard || "none"})`}</option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : field.type === "enum" ? (
        <select {...common} onChange={(event) => onType(field.path, event.target.value)}>
          <option value="">{field.required ? "choose" : `${unset} (${standard || "none"})`}</option>
          {field.choices.map((choice, i) => (
            <option key={i} value={String(i)}>
              {asTyped(choice)}
            </option>
          ))}
        </select>
      ) : field.type === "json" ? (
        <textarea {...common} className="field mono" rows={Math.min(4, Math.max(1, text.split("\n").length))} placeholder={empty} onChange={(event) => onType(field.path, event.target.value)} />
      ) : (
        <input
          {...common}
          type={field.secret ? "password" : "text"}
          inputMode={field.type === "int" ? "numeric" : field.type === "float" ? "decimal" : "text"}
          autoComplete="off"
          spellCheck={false}
          placeholder={empty}
          onChange={(event) => onType(field.path, event.target.value)}
        />
      )}
      <span className="row">
        <code className="faint">{field.type_text || field.type}</code>
        {text !== "" && (
          <button type="button" className="button small bare" onClick={() => onType(field.path, "")}>
            unset
          </button>
        )}
      </span>
      <span className="hint" id={`${id}h`} hidden={!problem && !field.description}>
        {problem ? <span className="bad-text">It has to be {problem}. </span> : null}
        {field.description}
      </span>
    </>
  );
}
