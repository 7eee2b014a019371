const SAFE = /^(https?|mailto):/i;

/** A link out, if it is of a kind that may be followed. */
export function Away({ to, children }: { to: string; children?: string }) {
  return SAFE.test(to) ? (
    <a href={to} target="_blank" rel="noreferrer noopener">
      {children ?? to}
    </a>
  ) : (
    <>{children ?? to}</>
  );
}
