import { useMemo } from "react";
import { type Block, type Span, blocks, spans } from "../logic/markdown";
import { Away } from "./Away";

export function Markdown({ text }: { text: string }) {
  const parsed = useMemo(() => blocks(text), [text]);
  return (
    <div className="stack" style={{ gap: 8 }}>
      {parsed.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </div>
  );
}

/** One line of text, with what stands in backticks as code. */
export function Prose({ text }: { text: string }) {
  return <Spans of={useMemo(() => spans(text), [text])} />;
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading":
      return <p className="strong">{<Spans of={block.spans} />}</p>;
    case "paragraph":
      return <p><Spans of={block.spans} /></p>;
    case "code":
      return <pre>{block.text}</pre>;
    case "list": {
      const items = block.items.map((item, i) => (
        <li key={i}>
          {block.ordered ? `${i + 1}. ` : "• "}
          <Spans of={item} />
        </li>
      ));
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div className="preview">
          <table>
            <thead>
              <tr>{block.head.map((cell, i) => <th key={i} scope="col"><Spans of={cell} /></th>)}</tr>
            </thead>
            <tbody>
              {block.rows.map((row, i) => (
                <tr key={i}>{row.map((cell, k) => <td key={k}><Spans of={cell} /></td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function Spans({ of }: { of: Span[] }) {
  return of.map((span, i) => {
    if (span.kind === "code") return <code key={i}>{span.text}</code>;
    if (span.kind === "strong") return <strong key={i}>{span.text}</strong>;
    if (span.kind === "em") return <em key={i}>{span.text}</em>;
    if (span.kind === "link") return <Away key={i} to={span.to}>{span.text}</Away>;
    return span.text;
  });
}
