import { type ReactNode, useEffect } from "react";
import { ApiError } from "./api/client";
import { useGlobalStream, useProject, useSession } from "./api/queries";
import { Broken } from "./parts/Broken";
import { Command, Empty, Notice } from "./parts/parts";
import { Link, at, useRouter } from "./parts/router";
import { ThemeButton } from "./parts/theme";
import { AssetPage } from "./pages/AssetPage";
import { AssetsPage } from "./pages/AssetsPage";
import { LaunchPage } from "./pages/LaunchPage";
import { RunPage } from "./pages/RunPage";
import { RunsPage } from "./pages/RunsPage";

const FIXED = new Set(["", "runs/"]); // pages that fill the window and scroll inside

export function App() {
  const session = useSession();
  const project = useProject();
  const { place } = useRouter();
  const refused = [session.error, project.error].find((e) => e instanceof ApiError && (e.status === 401 || e.status === 403));
  const away = [session.error, project.error].some((e) => e instanceof ApiError && e.status === 0);
  const connected = useGlobalStream(!refused && session.isSuccess);
  const [page = "", id] = place.parts;

  useEffect(() => {
    const title = page === "" ? "assets" : page;
    document.title = `${title} · ${project.data?.name || "opgraph"}`;
  }, [page, project.data?.name]);

  if (refused) return <SignedOut />;
  let body: ReactNode = null;
  if (page === "" || (page === "assets" && !id)) body = <AssetsPage />;
  else if (page === "assets" && id) body = <AssetPage key={id} id={id} />;
  else if (page === "launch") body = <LaunchPage key={window.location.search} />;
  else if (page === "runs" && id) body = <RunPage key={id} id={id} />;
  else if (page === "runs") body = <RunsPage />;
  else
    body = (
      <Empty title="There is no such page">
        <Link to="/">Go to the assets</Link>
      </Empty>
    );

  const state = project.data?.status;
  return (
    <div className={`frame${FIXED.has(page === "runs" && id ? "runs/" : page) ? " fixed" : ""}`}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="bar">
        <Link to="/" className="brand" title="opgraph">
          <Mark />
          <b>opgraph</b>
        </Link>
        <nav aria-label="Pages">
          <Link to="/" current={page === "" || page === "assets"}>
            Assets
          </Link>
          <Link to={at.runs()} current={page === "runs"}>
            Runs
          </Link>
          <Link to="/launch" current={page === "launch"}>
            Launch
          </Link>
        </nav>
        <span className="grow" />
        <span className="project" title={session.data ? `${session.data.project}\n${session.data.home}` : undefined}>
          {state === "loading" && <span className="tag run">loading</span>}
          {state === "broken" && <span className="tag bad">does not load</span>}
          {session.isSuccess && !connected && !away && <span className="tag">connecting</span>}
          <span className="cut long">{project.data?.name}</span>
        </span>
        <ThemeButton />
      </header>
      <main className="main" id="main">
        {away && (
          <div style={{ padding: "10px 16px 0" }}>
            <Notice tone="bad">
              <b>The server does not answer.</b> Runs that it started go on without it. Start it again with <code>opgraph dev</code>; this page
              finds it by itself.
            </Notice>
          </div>
        )}
        {project.data?.error && <Broken error={project.data.error} stale={project.data.assets > 0} />}
        {body}
      </main>
    </div>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <path d="M9 10.5h5.5c5 0 3 11 8.5 11M9 21.5h5.5" fill="none" stroke="var(--on-accent)" strokeWidth="2.4" strokeLinecap="round" />
      <circle cx="8.5" cy="10.5" r="3" fill="var(--on-accent)" />
      <circle cx="8.5" cy="21.5" r="3" fill="var(--on-accent)" opacity=".65" />
      <circle cx="23.5" cy="21.5" r="3" fill="var(--on-accent)" />
    </svg>
  );
}

function SignedOut() {
  return (
    <main className="page">
      <Empty title="You are not signed in here">
        <p>
          Each server has a token of its own. Open the address that <code>opgraph dev</code> printed when it started; it ends in{" "}
          <code>/login?token=…</code> and signs this browser in.
        </p>
        <Command text="opgraph dev" />
      </Empty>
    </main>
  );
}
