import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { AssetSummary } from "../api/types";
import { ago, duration, plural } from "../logic/format";
import { matching } from "../logic/search";
import { Prose } from "../parts/Markdown";
import { Empty, Meter, Status } from "../parts/parts";
import { Link, at } from "../parts/router";

/** The assets as rows: quicker to read than the graph, and how a phone or a screen reader gets at them. */
export function AssetsList({ assets, typed, now }: { assets: AssetSummary[]; typed: string; now: number }) {
  const rows = useMemo(() => matching(assets, typed), [assets, typed]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => 46, overscan: 12 });
  if (rows.length === 0) return <Empty title="No asset matches">Clear the search to see all of them.</Empty>;
  return (
    <div ref={scroller} className="grow" style={{ overflow: "auto" }} tabIndex={0} role="list" aria-label="Assets">
      <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="presentation">
        {virtual.getVirtualItems().map((item) => {
          const asset = rows[item.index] as AssetSummary;
          return (
            <div key={asset.id} role="listitem" className="listrow" style={{ transform: `translateY(${item.start}px)`, height: item.size }}>
              <span className="grow">
                <Link to={at.asset(asset.id)} className="strong cut">
                  {asset.key}
                </Link>
                <span className="faint cut" style={{ display: "block", fontSize: 12 }}>
                  <Prose
                    text={[asset.group !== "default" ? asset.group : "", ...asset.kinds, asset.graph_backed ? plural(asset.op_count, "op") : "", asset.description.split("\n")[0]].filter(Boolean).join(" · ")}
                  />
                </span>
              </span>
              {asset.progress && asset.status === "running" && (
                <Meter
                  total={1}
                  label={`${asset.progress.done} of ${asset.progress.total} ops`}
                  shares={[
                    { tone: "bad", n: asset.progress.failed / asset.progress.total },
                    { tone: "ok", n: asset.progress.share },
                  ]}
                />
              )}
              <span style={{ width: 110 }} title={asset.why}>
                <Status of={asset.status} />
              </span>
              <span className="num quiet hide-narrow" style={{ width: 150 }}>
                {asset.latest ? `${ago(asset.latest.at, now)} · ${duration(asset.latest.duration)}` : ""}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
