import { type FormEvent, useEffect, useRef } from "react";
import type { AssetSummary } from "../api/types";
import { leaf } from "../logic/format";
import { isPlain, matching } from "../logic/search";
import { Icon } from "../parts/icons";

interface SearchProps {
  typed: string;
  onType: (text: string) => void;
  onApply: (text: string) => void;
  assets: AssetSummary[];
  /** The keys of the ops that are found. */
  ops: string[];
  onOp: (key: string) => void;
  wrong: boolean;
}

/** Finds assets and ops while one types; what is a selection is applied. */
export function SearchBox({ typed, onType, onApply, assets, ops, onOp, wrong }: SearchProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const slash = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", slash);
    return () => window.removeEventListener("keydown", slash);
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = typed.trim();
    const found = matching(assets, text);
    const exact = assets.some((a) => a.key === text);
    if (found.length === 0 && ops[0]) onOp(ops[0]);
    else onApply(isPlain(text) && !exact && found.length > 0 && found.length <= 50 ? found.map((a) => `key:"${a.key}"`).join(" or ") : text);
  };
  return (
    <form className="searchbox" role="search" onSubmit={submit}>
      <Icon name="search" />
      <input
        ref={input}
        className="field"
        type="text"
        value={typed}
        placeholder="Search, or select: +totals, group:raw, kind:csv …"
        aria-label="Search, or a selection"
        aria-invalid={wrong}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          onType(event.target.value);
          if (event.target.value === "") onApply("");
        }}
        onKeyDown={(event) => event.key === "Escape" && (onType(""), onApply(""))}
      />
      {ops.length > 0 && (
        <ul className="found" aria-label="Ops">
          {ops.map((key) => (
            <li key={key}>
              <button type="button" onClick={() => onOp(key)}>
                {leaf(key)} <span className="faint">op of {key.slice(0, -leaf(key).length - 1)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}
