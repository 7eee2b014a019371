/** Line icons of our own, on a grid of 16. Decorative: the words beside them say the same. */

const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  dot: "M8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 1 0 0-3",
  ring: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9",
  spin: "M8 2.8a5.2 5.2 0 1 0 5.2 5.2",
  reuse: "M12.8 7A5 5 0 0 0 4 5M3.5 2.8V5.5h2.7M3.2 9A5 5 0 0 0 12 11M12.5 13.2v-2.7H9.8",
  clock: "M8 2.8a5.2 5.2 0 1 0 0 10.4 5.2 5.2 0 1 0 0-10.4M8 5v3.2l2 1.4",
  skip: "M3.5 8h9",
  stop: "M5 5h6v6H5z",
  warn: "M8 2.8l5.8 10.2H2.2zM8 6.6v3M8 11.3v.2",
  right: "M6 3.5L10.5 8 6 12.5",
  down: "M3.5 6L8 10.5 12.5 6",
  search: "M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 1 0 0-8.4M10.2 10.2l3.3 3.3",
  play: "M5 3.2v9.6l7.6-4.8z",
  resume: "M3.2 3.2v9.6M6.2 3.2v9.6l7-4.8z",
  plus: "M8 3.2v9.6M3.2 8h9.6",
  minus: "M3.2 8h9.6",
  fit: "M2.8 6V2.8H6M10 2.8h3.2V6M13.2 10v3.2H10M6 13.2H2.8V10",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 1 0 0-5.6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6z",
  auto: "M8 2.8a5.2 5.2 0 1 0 0 10.4zM8 2.8a5.2 5.2 0 1 1 0 10.4",
  copy: "M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z",
  graph: "M2.5 4.5h3.5M2.5 11.5h3.5M10 8h3.5M6 4.5c3 0 1 3.5 4 3.5M6 11.5c3 0 1-3.5 4-3.5",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" className={name === "spin" ? "spin" : undefined}>
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
