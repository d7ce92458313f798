/** Trying a tool out: a form out of its schema, and a call that goes the way of all calls, with the key of an agent. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { serversQuery, toolQuery, toolsQuery } from "../api/tools";
import type { ToolDetail } from "../api/types";
import { useI18n } from "../i18n";
import { parseJson, readJson } from "../lib/json";
import { keepKey, keptKey, type Who } from "../lib/tryout";
import { assemble, fieldsOf, memberOf, type Wrong } from "../lib/schema";
import { ErrorBox } from "../ui/ErrorBox";
import { Loading, PageHead, Segments } from "../ui/parts";
import { LongText } from "../ui/Visible";
import { Choice } from "./CallFilters";
import { Answer, useTry } from "./TryAnswer";
import { Fields, Labelled } from "./TryFields";

export function TryOut() {
  const { t } = useI18n();
  const { server = "", tool = "" } = useSearch({ from: "/shell/try" });
  const navigate = useNavigate({ from: "/try" });
  const servers = useQuery({ ...serversQuery, refetchInterval: false });
  const tools = useInfiniteQuery(toolsQuery(server, {}, 500));
  const one = useQuery({ ...toolQuery(`${server}.${tool}`), enabled: server !== "" && tool !== "" });
  const error = servers.error ?? tools.error ?? one.error;
  // What no list had is a method, and no tool.
  const names = tools.data?.pages.flatMap((page) => page.items).filter((x) => x.server === server && x.state !== null).map((x) => x.name) ?? [];
  const chosen = one.data?.id === `${server}.${tool}` ? one.data : null;
  return (
    <>
      <PageHead title={t("try.title")} />
      <p className="notice wide">{t("try.intro")}</p>
      <form className="filters always" aria-label={t("try.choose")} onSubmit={(e) => e.preventDefault()}>
        <Choice label={t("policy.server")} value={server} values={servers.data?.items.map((s) => s.id) ?? []} set={(v) => void navigate({ search: v ? { server: v } : {} })} />
        <Choice label={t("calls.tool")} value={tool} values={names} set={(v) => void navigate({ search: v ? { server, tool: v } : { server } })} />
      </form>
      {error && <ErrorBox error={error} retry={() => void Promise.all([servers.refetch(), tools.refetch(), one.refetch()])} />}
      {tool === "" && <p className="panel empty">{t(server && tools.data && names.length === 0 ? "tools.none" : "try.choose")}</p>}
      {tool !== "" && !chosen && !error && <Loading />}
      {chosen && <Call key={chosen.id} tool={chosen} />}
    </>
  );
}

function Call({ tool }: { tool: ToolDetail }) {
  const { t } = useI18n();
  const definition = readJson((tool.pin?.pinned ?? tool.pin?.new)?.definition ?? "");
  const schema = memberOf(definition, "inputSchema");
  const fields = fieldsOf(schema);
  const [way, setWay] = useState<"form" | "json">(fields ? "form" : "json");
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries(fields?.map((f) => [f.name, f.initial]) ?? []));
  const [json, setJson] = useState("{}");
  const [who, setWho] = useState(keptKey);
  const [task, setTask] = useState(false);
  const [checked, setChecked] = useState(false);
  const call = useTry();
  const made = fields && way === "form" ? assemble(fields, values) : isObject(json) ? { text: json } : { wrong: { "": "object" as Wrong } };
  const wrong: Record<string, Wrong> = checked && "wrong" in made ? made.wrong : {};
  const noKey = checked && who.key.trim() === "";
  const change = (more: Partial<Who>) => setWho(keepKey({ ...who, ...more }));
  const turn = (to: "form" | "json") => {
    // What the form has is where the text begins.
    if (to === "json" && "text" in made) setJson(made.text);
    setWay(to);
  };
  const go = () => {
    setChecked(true);
    if ("text" in made && who.key.trim() !== "") call.start({ server: tool.server, tool: tool.name, schema, args: made.text, task, key: who.key.trim(), agent: who.agent.trim() });
  };
  return (
    <>
      {tool.description && <div className="panel block"><LongText text={tool.description} /></div>}
      {tool.state === "held" && <p className="notice caution wide" role="note">{t("try.isHeld")} <Link to="/servers/$id/tools/$name" params={{ id: tool.server, name: tool.name }} search={{}}>{tool.id}</Link></p>}
      <form className="section try" noValidate autoComplete="off" onSubmit={(e) => (e.preventDefault(), go())}>
        {fields && <Segments legend={t("approval.arguments")} name="way" value={way} options={(["form", "json"] as const).map((value) => ({ value, text: t(`try.${value}`) }))} onChange={turn} />}
        {!fields && <p className="quiet">{t("try.noForm")}</p>}
        {fields && way === "form"
          ? <Fields of={fields} values={values} wrong={wrong} set={setValues} />
          : <Labelled name={t("approval.arguments")} wrong={wrong[""]}>{(more) => <textarea className="input mono" rows={8} spellCheck={false} value={json} onChange={(e) => setJson(e.target.value)} {...more} />}</Labelled>}
        <div className="two">
          <Labelled name={t("try.key")} hint={t("try.keyHint")} wrong={noKey ? "required" : undefined} required>
            {(more) => <input className="input mono" type="password" autoComplete="off" spellCheck={false} value={who.key} onChange={(e) => change({ key: e.target.value })} {...more} />}
          </Labelled>
          <Labelled name={t("try.agent")}>{(more) => <input className="input mono" spellCheck={false} value={who.agent} onChange={(e) => change({ agent: e.target.value })} {...more} />}</Labelled>
        </div>
        <label className="check"><input type="checkbox" checked={task} onChange={(e) => setTask(e.target.checked)} /> {t("try.asTask")}</label>
        <div className="acts">
          <button className="button primary" type="submit" disabled={call.busy}>{t(call.busy ? "try.sending" : "try.send")}</button>
          {call.busy && <button className="button" type="button" onClick={call.stop}>{t("confirm.cancel")}</button>}
        </div>
      </form>
      <Answer of={call} tool={tool} />
    </>
  );
}

const isObject = (text: string): boolean => {
  const found = parseJson(text);
  return "value" in found && found.value.kind === "object";
};
