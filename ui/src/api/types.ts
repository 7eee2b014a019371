export type * from "./schema";
export type { Drawing, PlacedNode } from "../logic/picture";
