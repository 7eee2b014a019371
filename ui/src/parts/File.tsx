import { useSession } from "../api/queries";

/** A file and line, from the project's folder on where it lies in it. */
export function File({ path, line }: { path: string; line?: number }) {
  const project = useSession().data?.project ?? "";
  const folder = project.slice(0, project.lastIndexOf("/") + 1);
  const short = folder && path.startsWith(folder) ? path.slice(folder.length) : path;
  return (
    <code title={path}>
      {short}
      {line ? `:${line}` : ""}
    </code>
  );
}
