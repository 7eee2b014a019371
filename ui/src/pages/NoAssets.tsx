import { Command, Empty } from "../parts/parts";

/** What to begin with. */
export function NoAssets() {
  return (
    <Empty title="There are no assets in this file yet">
      <p>An asset is a function with a name. Add one, save the file, and it appears here.</p>
      <pre className="card" style={{ textAlign: "left", padding: "10px 14px" }}>
        {"from opgraph import Definitions, asset\n\n\n@asset\ndef orders():\n    return [1, 2, 3]\n\n\ndefs = Definitions(assets=[orders])"}
      </pre>
      <p>Or let a starting point be written:</p>
      <Command text="opgraph init" />
    </Empty>
  );
}

