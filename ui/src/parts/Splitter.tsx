/** The edge between what is above and below: drawn with the pointer, or moved with the arrow keys. `height` in percent. */
export function Splitter({ height, onChange }: { height: number; onChange: (height: number) => void }) {
  const set = (value: number) => onChange(Math.min(85, Math.max(8, value)));
  return (
    <div
      className="splitter"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of logs and details"
      aria-valuenow={Math.round(height)}
      tabIndex={0}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        const all = event.currentTarget.parentElement?.getBoundingClientRect();
        if (all && event.buttons === 1) set((100 * (all.bottom - event.clientY)) / all.height);
      }}
      onKeyDown={(event) => {
        if (event.key === "ArrowUp") set(height + 4);
        else if (event.key === "ArrowDown") set(height - 4);
        else return;
        event.preventDefault();
      }}
    />
  );
}
