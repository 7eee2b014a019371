export type * from "./schema";
export type { DrawnNode as PlacedNode, DrawnEdge as PlacedEdge } from "./schema";
