import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { newClient } from "./api/queries";
import { RouterProvider } from "./parts/router";
import { applyTheme } from "./parts/theme";
import "./style.css";

applyTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={newClient()}>
        <RouterProvider>
          <App />
        </RouterProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
