/** Enough of Markdown for notes beside a value. Nothing in it becomes markup of its own. */

export type Span = { kind: "text" | "code" | "strong" | "em"; text: string } | { kind: "link"; text: string; to: string };

export type Block =
  | { kind: "heading"; level: number; spans: Span[] }
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: Span[][] }
  | { kind: "table"; head: Span[][]; rows: Span[][][] };

const SPAN = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

export function spans(text: string): Span[] {
  const out: Span[] = [];
  let from = 0;
  for (const found of text.matchAll(SPAN)) {
    if (found.index > from) out.push({ kind: "text", text: text.slice(from, found.index) });
    const [all, code, strong, em, label, to] = found;
    if (code) out.push({ kind: "code", text: code });
    else if (strong) out.push({ kind: "strong", text: strong });
    else if (em) out.push({ kind: "em", text: em });
    else if (label && to) out.push({ kind: "link", text: label, to });
    from = found.index + all.length;
  }
  if (from < text.length) out.push({ kind: "text", text: text.slice(from) });
  return out;
}

function cells(line: string): Span[][] {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => spans(cell.trim()));
}

export function blocks(text: string): Block[] {
  const lines = text.split("\n");
  const out: Block[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] as string;
    const heading = /^(#{1,6})\s+(.*)/.exec(line);
    if (line.startsWith("```")) {
      const end = lines.findIndex((each, k) => k > i && each.startsWith("```"));
      const last = end < 0 ? lines.length : end;
      out.push({ kind: "code", text: lines.slice(i + 1, last).join("\n") });
      i = last + 1;
    } else if (heading) {
      out.push({ kind: "heading", level: (heading[1] as string).length, spans: spans(heading[2] as string) });
      i += 1;
    } else if (/^\s*([-*+]|\d+\.)\s+/.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const items: Span[][] = [];
      for (; i < lines.length && /^\s*([-*+]|\d+\.)\s+/.test(lines[i] as string); i += 1)
        items.push(spans((lines[i] as string).replace(/^\s*([-*+]|\d+\.)\s+/, "")));
      out.push({ kind: "list", ordered, items });
    } else if (line.includes("|") && /^[\s|:-]+$/.test(lines[i + 1] ?? "") && (lines[i + 1] ?? "").includes("-")) {
      const head = cells(line);
      const rows: Span[][][] = [];
      for (i += 2; i < lines.length && (lines[i] as string).includes("|"); i += 1) rows.push(cells(lines[i] as string));
      out.push({ kind: "table", head, rows });
    } else if (line.trim() === "") i += 1;
    else {
      const first = i;
      while (i < lines.length && (lines[i] as string).trim() !== "" && !(i > first && /^(#{1,6}\s|```|\s*[-*+]\s)/.test(lines[i] as string))) i += 1;
      out.push({ kind: "paragraph", spans: spans(lines.slice(first, i).join(" ")) });
    }
  }
  return out;
}
