/** Budgets: every account of the ledger, as a tree, with what is settled, held and left. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { accountsQuery, facetsQuery, keysQuery } from "../api/queries";
import { useI18n } from "../i18n";
import { KINDS, withTeams } from "../lib/budgets";
import { count } from "../lib/format";
import type { BudgetsSearch } from "../router";
import { Swatches, useBudgetWords } from "../ui/Budget";
import { useMayOperate } from "../ui/Confirm";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { BudgetTree } from "./BudgetTree";
import { Choice } from "./CallFilters";

export function Budgets() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/budgets" });
  const navigate = useNavigate({ from: "/budgets" });
  const filters = { tenant: search.tenant, kind: search.kind, run: search.run, current: search.past === "1" ? "false" : undefined };
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...accountsQuery(filters),
    placeholderData: keepPreviousData,
  });
  // Whoever may not read keys sees them beside the teams.
  const keys = useQuery({ ...keysQuery, enabled: useMayOperate() }).data?.items;
  const all = useMemo(() => withTeams(data?.pages.flatMap((page) => page.items) ?? [], keys ?? []), [data, keys]);
  const capped = useMemo(() => all.filter((a) => a.cap !== null), [all]);
  const shown = search.uncapped === "1" ? all : capped;
  const change = (next: BudgetsSearch) => void navigate({ search: next, replace: true });
  return (
    <>
      <PageHead title={t("budget.title")}>
        {data && <span className="sub">{t("budget.loaded", { count: count(shown.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <Filters search={search} change={change} hidden={all.length - capped.length} />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && shown.length === 0 && (
        <div className="panel empty" role="status">
          <p>{t(filtered(search) ? "budget.noMatch" : all.length > 0 ? "budget.onlyUncapped" : "budget.none")}</p>
          {!filtered(search) && all.length === 0 && <p className="quiet">{t("budget.noneHint")}</p>}
        </div>
      )}
      {shown.length > 0 && (
        <BudgetTree
          accounts={shown}
          foot={
            <>
              {hasNextPage ? (
                <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                  {isFetchingNextPage ? t("app.loading") : t("calls.more")}
                </button>
              ) : (
                <span>{t("calls.end")}</span>
              )}
              <Swatches />
              <span className="keys w1">{t("budget.keys")}</span>
            </>
          }
        />
      )}
    </>
  );
}

const filtered = (search: BudgetsSearch) => Boolean(search.tenant || search.kind || search.run);

interface FiltersProps {
  search: BudgetsSearch;
  change: (next: BudgetsSearch) => void;
  hidden: number;
}

function Filters({ search, change, hidden }: FiltersProps) {
  const { t } = useI18n();
  const words = useBudgetWords();
  const facets = useQuery(facetsQuery);
  const set = (name: keyof BudgetsSearch, value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  return (
    <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
      <Choice label={t("calls.tenant")} value={search.tenant} values={facets.data?.items.tenant ?? []} set={(v) => set("tenant", v)} />
      <Choice label={t("budget.kind")} value={search.kind} values={KINDS} show={(v) => words.kind(v as (typeof KINDS)[number])} set={(v) => set("kind", v)} />
      {search.run && <Choice label={t("calls.run")} value={search.run} values={[search.run]} set={(v) => set("run", v)} />}
      <label className="check">
        <input type="checkbox" checked={search.past !== "1"} onChange={(e) => set("past", e.target.checked ? undefined : "1")} />
        {t("budget.current")}
      </label>
      <label className="check">
        <input type="checkbox" checked={search.uncapped === "1"} onChange={(e) => set("uncapped", e.target.checked ? "1" : undefined)} />
        {t("budget.uncapped")} {hidden > 0 && <span className="quiet">({count(hidden)})</span>}
      </label>
    </form>
  );
}
