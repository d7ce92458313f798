import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/trace.css";
import "./styles/budgets.css";
import "./styles/audit.css";
import "./styles/approvals.css";
import "./styles/tools.css";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { sessionQuery } from "./api/queries";
import { I18nProvider } from "./i18n";
import { router } from "./router";
import { applyTheme, ThemeProvider } from "./ui/theme";

applyTheme();

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    // Any read may be the one that finds the session ended: ask for the session, and the shell shows the sign-in page.
    onError: (error, failed) => {
      if (error instanceof ApiError && error.status === 401 && failed.queryKey[0] !== "session") {
        void client.invalidateQueries({ queryKey: sessionQuery.queryKey });
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      gcTime: 2 * 60_000,
      refetchOnWindowFocus: false,
      // A refusal is an answer. Only what may pass by itself is asked for once more.
      retry: (count, error) => count < 1 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <I18nProvider>
      <ThemeProvider>
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </ThemeProvider>
    </I18nProvider>
  </StrictMode>,
);
