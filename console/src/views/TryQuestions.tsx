/** What a server asks before a call goes on: forms, and addresses to visit. All questions of a call are answered at once. */
import { useState } from "react";
import { useI18n } from "../i18n";
import { assemble, fieldsOf, type Wrong } from "../lib/schema";
import type { Question } from "../lib/tryout";
import { Arguments, LongText, Visible } from "../ui/Visible";
import { Fields } from "./TryFields";

export function Questions({ of: questions, answer }: { of: Question[]; answer: (responses: string) => void }) {
  const { t } = useI18n();
  const forms = questions.map((q) => fieldsOf(q.schema) ?? []);
  const [values, setValues] = useState(() => forms.map((fields): Record<string, string> => Object.fromEntries(fields.map((f) => [f.name, f.initial]))));
  const [checked, setChecked] = useState(false);
  const made = forms.map((fields, i) => assemble(fields, values[i]!));
  const give = (one: (i: number) => string) => answer("{" + questions.map((q, i) => JSON.stringify(q.key) + ":" + one(i)).join(",") + "}");
  const accept = () => {
    setChecked(true);
    if (made.every((m) => "text" in m)) give((i) => `{"action":"accept"${questions[i]!.url ? "" : `,"content":${(made[i] as { text: string }).text}`}}`);
  };
  return (
    <form className="section try" noValidate autoComplete="off" onSubmit={(e) => (e.preventDefault(), accept())}>
      <h2 className="warn">{t("try.asks")}</h2>
      {questions.map((q, i) => {
        const one = made[i]!;
        return (
          <div key={q.key} className="section">
            <div className="panel block"><LongText text={q.message} /></div>
            {q.url && <p>{t("try.visit")} <code className="break"><Visible text={q.url} /></code></p>}
            {q.other && <Arguments text={q.other} of={t("try.asks")} />}
            <Fields of={forms[i]!} values={values[i]!} wrong={checked && "wrong" in one ? one.wrong : ({} as Record<string, Wrong>)} set={(now) => setValues(values.map((was, n) => (n === i ? now : was)))} />
          </div>
        );
      })}
      {questions.every((q) => q.other === "") && (
        <div className="acts">
          <button className="button primary" type="submit">{t("try.reply")}</button>
          <button className="button" type="button" onClick={() => give(() => '{"action":"decline"}')}>{t("try.decline")}</button>
        </div>
      )}
    </form>
  );
}
