import type { Frame, ProjectError } from "../api/types";
import { File } from "./File";
import { Icon } from "./icons";
import { Prose } from "./Markdown";

/** Why the definitions do not load: the user's file and line first. */
export function Broken({ error, stale }: { error: ProjectError; stale: boolean }) {
  const problems = error.problems.length > 1 ? error.problems : [];
  return (
    <div style={{ padding: "12px 16px" }}>
      <section className="failure" role="alert" aria-label="The definitions do not load">
        <div className="what">
          <b>The definitions do not load</b>
          {error.file && (
            <div className="where">
              <File path={error.file} line={error.line} />
            </div>
          )}
          {problems.length === 0 ? (
            <p style={{ marginTop: 4 }}><Prose text={error.text} /></p>
          ) : (
            <ul className="stack" style={{ marginTop: 6, gap: 8, maxHeight: 260, overflow: "auto" }}>
              {problems.map((each, i) => (
                <li key={i}>
                  <Prose text={each.text} />
                  <span className="where">
                    <File path={each.file} line={each.line} />
                  </span>
                  {each.fix && <div className="quiet"><Prose text={each.fix} /></div>}
                </li>
              ))}
            </ul>
          )}
          {problems.length === 0 && error.fix && <div className="quiet"><Prose text={error.fix} /></div>}
          <div className="where">
            {stale ? "What you see below is as it was when the file last loaded. " : ""}
            Save the file and it is loaded again.
          </div>
        </div>
        <Frames frames={error.frames} />
      </section>
    </div>
  );
}

/** A traceback, the innermost last, in which neighbouring lines of frameworks are one line until they are opened. */
export function Frames({ frames }: { frames: Frame[] }) {
  if (frames.length === 0) return null;
  const groups: { framework: boolean; frames: Frame[] }[] = [];
  for (const frame of frames) {
    const last = groups.at(-1);
    if (last && last.framework && frame.is_framework) last.frames.push(frame);
    else groups.push({ framework: frame.is_framework, frames: [frame] });
  }
  return (
    <ol className="frames" tabIndex={0} aria-label="Traceback">
      {groups.map((group, i) =>
        group.framework ? (
          <li key={i} className="hidden-frames">
            <details>
              <summary>
                {group.frames.length} {group.frames.length === 1 ? "line" : "lines"} of libraries
              </summary>
              <ol>
                {group.frames.map((frame, k) => (
                  <FrameLine key={k} frame={frame} />
                ))}
              </ol>
            </details>
          </li>
        ) : (
          group.frames.map((frame, k) => <FrameLine key={`${i}.${k}`} frame={frame} />)
        ),
      )}
    </ol>
  );
}

function FrameLine({ frame }: { frame: Frame }) {
  return (
    <li>
      <span className={frame.is_framework ? "faint" : ""}>
        <File path={frame.file} line={frame.line} />
      </span>{" "}
      <span className="faint">in {frame.function}</span>
      {frame.text && <span className="line">{frame.text}</span>}
    </li>
  );
}

export function Twist({ open }: { open: boolean }) {
  return <Icon name={open ? "down" : "right"} />;
}
