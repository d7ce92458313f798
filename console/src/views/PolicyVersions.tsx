/** Policies that were in force, newest first, and the lines by which two of them differ. */
import { useQuery } from "@tanstack/react-query";
import { policyVersionQuery, policyVersionsQuery } from "../api/people";
import type { PolicyVersion } from "../api/types";
import { useI18n } from "../i18n";
import { clock } from "../lib/format";
import type { PolicySearch } from "../router";
import { LineDiff } from "../ui/Diff";
import { ErrorBox } from "../ui/ErrorBox";
import { Loading } from "../ui/parts";

interface Props {
  search: PolicySearch;
  change: (next: PolicySearch) => void;
}

export function PolicyVersions({ search, change }: Props) {
  const { t } = useI18n();
  const { data, error, refetch } = useQuery(policyVersionsQuery);
  if (error) return <ErrorBox error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) return <p className="panel empty">{t("versions.none")}</p>;
  // Without a choice: the newest against the one before it.
  const now = search.new ?? data.items[0]!.version;
  const old = search.old ?? data.items[1]?.version ?? now;
  const pick = (name: "old" | "new", label: string, value: string) => (
    <label className="stacked">
      <span>{label}</span>
      <select value={value} onChange={(e) => change({ tab: "versions", old, new: now, [name]: e.target.value })}>
        {options(data.items, value).map((one) => <option key={one.version} value={one.version}>{one.time ? clock(one.time, new Date()) + " · " : ""}{one.version}</option>)}
      </select>
    </label>
  );
  return (
    <>
      <form className="versions" onSubmit={(e) => e.preventDefault()}>
        {pick("old", t("versions.old"), old)}
        {pick("new", t("versions.new"), now)}
      </form>
      {old === now ? <p className="quiet">{t(data.items.length === 1 ? "versions.one" : "versions.equal")}</p> : <Difference old={old} now={now} />}
    </>
  );
}

/** A version of the address that the list does not hold any more is still the one that is compared. */
function options(items: PolicyVersion[], value: string): PolicyVersion[] {
  return items.some((one) => one.version === value) ? items : [{ version: value, time: "" }, ...items];
}

function Difference({ old, now }: { old: string; now: string }) {
  const before = useQuery(policyVersionQuery(old));
  const after = useQuery(policyVersionQuery(now));
  const error = before.error ?? after.error;
  if (error) return <ErrorBox error={error} retry={() => void Promise.all([before.refetch(), after.refetch()])} />;
  if (!before.data || !after.data) return <Loading />;
  return <LineDiff before={before.data.text} after={after.data.text} />;
}
