import { useEffect, useId, useState } from "react";
import type { FacetName, Facets } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { fromLocalInput, localInput, RANGES, type Range } from "../lib/time";
import type { CallFilter, CallsSearch } from "../router";
import { useStatusWord } from "../ui/Signal";

interface Props {
  search: CallsSearch;
  facets: Facets["items"];
  change: (next: CallsSearch) => void;
}

const OUTCOMES = ["ok", "denied", "blocked", "failed", "cancelled", "unknown", "running"];
const FACETS: readonly { name: FacetName & CallFilter; key: Key }[] = [
  { name: "tenant", key: "calls.tenant" },
  { name: "team", key: "calls.team" },
  { name: "agent", key: "calls.agent" },
  { name: "model", key: "calls.model" },
  { name: "tool", key: "calls.tool" },
];

/** Beyond this many values a list to choose from becomes a field with suggestions. */
const MOST_OPTIONS = 60;

export function CallFilters({ search, facets, change }: Props) {
  const { t } = useI18n();
  const word = useStatusWord();
  const set = (name: CallFilter, value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  const [openNarrow, setOpenNarrow] = useState(false);
  const active = Object.keys(search).length;
  return (
    <section aria-label={t("calls.filters")}>
      <button className="button filter-fold" type="button" aria-expanded={openNarrow} onClick={() => setOpenNarrow(!openNarrow)}>
        {t("calls.filters")} {active > 0 && `(${active})`}
      </button>
      <form className={"filters" + (openNarrow ? " open" : "")} onSubmit={(e) => e.preventDefault()}>
        <TimeFilter search={search} change={change} />
        <Choice label={t("calls.outcome")} value={search.outcome} values={OUTCOMES} show={word} set={(v) => set("outcome", v)} />
        <Choice
          label={t("calls.kind")}
          value={search.kind}
          values={["model", "tool"]}
          show={(v) => t(v === "model" ? "kind.model" : "kind.tool")}
          set={(v) => set("kind", v)}
        />
        {FACETS.map(({ name, key }) => (
          <Choice key={name} label={t(key)} value={search[name]} values={facets[name] ?? []} set={(v) => set(name, v)} />
        ))}
        <Text label={t("calls.run")} value={search.run} set={(v) => set("run", v)} />
        <Text label={t("calls.trace")} value={search.trace} set={(v) => set("trace", v)} />
        {active > 0 && (
          <button className="button plain" type="button" onClick={() => change({})}>
            {t("calls.clear")}
          </button>
        )}
      </form>
    </section>
  );
}

interface ChoiceProps {
  label: string;
  value: string | undefined;
  values: readonly string[];
  show?: (value: string) => string;
  set: (value: string | undefined) => void;
}

export function Choice({ label, value, values, show, set }: ChoiceProps) {
  const { t } = useI18n();
  if (values.length > MOST_OPTIONS) return <Text label={label} value={value} set={set} suggest={values} />;
  // A value from the URL that the facets do not know is still the filter in force, so it is still shown.
  const all = value && !values.includes(value) ? [value, ...values] : values;
  return (
    <label className={value ? "on" : ""}>
      {label}
      <select value={value ?? ""} onChange={(e) => set(e.target.value || undefined)}>
        <option value="">{t("calls.any")}</option>
        {all.map((one) => (
          <option key={one} value={one}>
            {show ? show(one) : one}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TextProps {
  label: string;
  value: string | undefined;
  set: (value: string | undefined) => void;
  suggest?: readonly string[];
}

/** Text is taken over on Enter or when it is left, so that no request is sent per letter. */
export function Text({ label, value, set, suggest }: TextProps) {
  const { t } = useI18n();
  const list = useId();
  const [draft, setDraft] = useState(value ?? "");
  useEffect(() => setDraft(value ?? ""), [value]);
  const commit = () => {
    if (draft.trim() !== (value ?? "")) set(draft.trim() || undefined);
  };
  return (
    <label className={value ? "on grow" : "grow"}>
      {label}
      <input
        className="input"
        value={draft}
        placeholder={t("calls.any")}
        spellCheck={false}
        {...(suggest ? { list } : {})}
        onChange={(e) => setDraft(e.target.value)}
        onBlur={commit}
        onKeyDown={(e) => e.key === "Enter" && commit()}
      />
      {suggest && (
        <datalist id={list}>
          {suggest.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}

interface TimeSearch {
  range?: Range;
  from?: string;
  to?: string;
}

export function TimeFilter<S extends TimeSearch>({ search, change }: { search: S; change: (next: S) => void }) {
  const { t } = useI18n();
  const [custom, setCustom] = useState(false);
  const open = custom || search.from !== undefined || search.to !== undefined;
  const choose = (value: string) => {
    const { range: _r, from: _f, to: _t, ...rest } = search;
    setCustom(value === "custom");
    if (value !== "custom") change((value === "all" ? rest : { ...rest, range: value }) as S);
  };
  const edge = (name: "from" | "to", text: string) => {
    const { range: _r, [name]: _, ...rest } = search;
    const value = fromLocalInput(text);
    change((value ? { ...rest, [name]: value } : rest) as S);
  };
  return (
    <>
      <label className={search.range || open ? "on" : ""}>
        {t("range.label")}
        <select value={open ? "custom" : (search.range ?? "all")} onChange={(e) => choose(e.target.value)}>
          <option value="all">{t("range.all")}</option>
          {RANGES.map((range) => (
            <option key={range} value={range}>
              {t(`range.${range}`)}
            </option>
          ))}
          <option value="custom">{t("range.custom")}</option>
        </select>
      </label>
      {open &&
        (["from", "to"] as const).map((name) => (
          <label key={name} className={search[name] ? "on grow" : "grow"}>
            {t(`range.${name}`)}
            <input
              className="input"
              type="datetime-local"
              value={localInput(search[name])}
              onChange={(e) => edge(name, e.target.value)}
            />
          </label>
        ))}
    </>
  );
}
