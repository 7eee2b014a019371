import { useEffect, useRef } from "react";
import type { Meta, Preview } from "../api/types";
import { count, figure, moment, plural } from "../logic/format";
import { Away } from "./Away";
import { Markdown } from "./Markdown";

/** How much a value is: `20 items`, `30 rows × 3 columns`, of an array its dimensions. */
export function shapeOf(preview: Preview | null): string {
  const [first, second, ...more] = preview?.shape ?? [];
  if (first === undefined) return "";
  if (second === undefined) return plural(first, preview?.kind === "table" ? "row" : "item");
  if (preview?.kind === "table" && more.length === 0) return `${plural(first, "row")} × ${plural(second, "column")}`;
  return [first, second, ...more].map(count).join(" × ");
}

/** What a stored value looks like. */
export function PreviewBox({ preview }: { preview: Preview }) {
  if (preview.kind === "table" && preview.columns) {
    const rows = preview.rows ?? [];
    const more = (preview.shape?.[0] ?? 0) - rows.length;
    return (
      <div className="preview" tabIndex={0} role="region" aria-label="The first rows">
        <Rows columns={preview.columns} types={preview.types} rows={rows} />
        {more > 0 && rows.length > 0 && <p className="inside faint">and {more.toLocaleString("en-US")} more</p>}
      </div>
    );
  }
  if (preview.kind === "image" && preview.image) return <div className="inside"><Picture base64={preview.image} /></div>;
  if (preview.kind === "markdown")
    return (
      <div className="preview inside">
        <Markdown text={preview.text ?? ""} />
      </div>
    );
  return (
    <pre className="preview inside" tabIndex={0} aria-label="The value's text">
      {preview.text}
    </pre>
  );
}

function Rows({ columns, types, rows }: { columns: string[]; types?: string[] | null; rows: readonly unknown[][] }) {
  return (
    <table>
      <thead>
        <tr>
          {columns.map((name, i) => (
            <th key={i} scope="col">
              {name}
              {types?.[i] && <span className="kind">{types[i]}</span>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i}>
            {row.map((cell, k) => (
              <td key={k} className={isNumber(cell) ? "num" : ""}>
                {asText(cell)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function isNumber(cell: unknown): boolean {
  return typeof cell === "number" || (typeof cell === "string" && /^-?\d[\d_,.]*(e[+-]?\d+)?$/i.test(cell));
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A PNG painted on a canvas: the pages may load no picture from an address, not even one they made themselves. */
function Picture({ base64 }: { base64: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let gone = false;
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    void createImageBitmap(new Blob([bytes], { type: "image/png" })).then((picture) => {
      const element = canvas.current;
      if (!element || gone) return;
      element.width = picture.width;
      element.height = picture.height;
      element.getContext("2d")?.drawImage(picture, 0, 0);
    });
    return () => {
      gone = true;
    };
  }, [base64]);
  return <canvas ref={canvas} role="img" aria-label="Picture of the value" style={{ maxWidth: "100%", display: "block", borderRadius: 4 }} />;
}

interface Column {
  name: string;
  type?: string;
  description?: string | null;
}

export function MetaValue({ meta, now }: { meta: Meta; now: number }) {
  const value: unknown = meta.value;
  if (meta.kind === "md" || meta.kind === "markdown") return <Markdown text={asText(value)} />;
  if (meta.kind === "url") return <Away to={asText(value)} />;
  if (meta.kind === "path") return <code>{asText(value)}</code>;
  if (meta.kind === "timestamp" && typeof value === "number") return <>{moment(value, now)}</>;
  if (typeof value === "number") return <>{figure(value)}</>;
  if (typeof value === "boolean") return <>{value ? "yes" : "no"}</>;
  if (typeof value === "object" && value !== null) {
    const columns = (value as { columns?: unknown }).columns ?? (value as { schema?: { columns?: unknown } }).schema?.columns;
    const records = (value as { records?: unknown }).records ?? (value as { rows?: unknown }).rows;
    if (Array.isArray(columns) && columns.every((c) => typeof c === "object" && c !== null && "name" in c)) {
      const named = columns as Column[];
      if (Array.isArray(records)) {
        const rows = (records as unknown[]).map((record) => {
          const fields = ((record as { data?: unknown }).data ?? record) as Record<string, unknown>;
          return Array.isArray(record) ? (record as unknown[]) : named.map((c) => fields[c.name]);
        });
        return (
          <div className="preview">
            <Rows columns={named.map((c) => c.name)} rows={rows} />
          </div>
        );
      }
      return (
        <div className="preview">
          <Rows columns={["column", "type"]} rows={named.map((c) => [c.name, c.type ?? ""])} />
        </div>
      );
    }
    return <pre>{JSON.stringify(value, null, 2)}</pre>;
  }
  return <>{asText(value)}</>;
}

export function MetaList({ metadata, now }: { metadata: Meta[]; now: number }) {
  return (
    <dl className="facts">
      {metadata.map((meta, i) => (
        <div key={i} style={{ display: "contents" }}>
          <dt>{meta.name}</dt>
          <dd>
            <MetaValue meta={meta} now={now} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
