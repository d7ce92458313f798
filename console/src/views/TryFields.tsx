/** Fields of a form out of a schema: of a tool's arguments, or of what its server asks. */
import { useId, type ReactNode } from "react";
import { useI18n } from "../i18n";
import type { Field, Wrong } from "../lib/schema";

interface FieldsProps {
  of: Field[];
  values: Record<string, string>;
  wrong: Record<string, Wrong>;
  set: (values: Record<string, string>) => void;
}

export const Fields = ({ of, values, wrong, set }: FieldsProps) =>
  of.map((f) => <Input key={f.name} field={f} value={values[f.name] ?? ""} wrong={wrong[f.name]} set={(v) => set({ ...values, [f.name]: v })} />);

interface Described {
  id: string;
  required?: boolean;
  "aria-invalid": boolean;
  "aria-describedby": string;
}

interface LabelledProps {
  name: string;
  hint?: string;
  wrong?: Wrong | undefined;
  required?: boolean;
  children: (more: Described) => ReactNode;
}

export function Labelled({ name, hint, wrong, required = false, children }: LabelledProps) {
  const { t } = useI18n();
  const id = useId();
  return (
    <div className="stacked">
      <label htmlFor={id}>{name} {required && <span className="tag">{t("try.required")}</span>}</label>
      {children({ id, required, "aria-invalid": wrong !== undefined, "aria-describedby": id + "h" })}
      <div id={id + "h"}>{hint && <span className="quiet break">{hint} </span>}<span className="stop" aria-live="polite">{wrong && t(`try.wrong.${wrong}`)}</span></div>
    </div>
  );
}

/** Input is a line, a choice, or a field for JSON, as the schema has it. */
function Input({ field: f, value, wrong, set }: { field: Field; value: string; wrong: Wrong | undefined; set: (value: string) => void }) {
  const { t } = useI18n();
  const options = f.kind === "boolean" ? ["true", "false"] : f.options;
  return (
    <Labelled name={f.title && f.title !== f.name ? `${f.title} (${f.name})` : f.name} hint={f.description} wrong={wrong} required={f.required}>
      {(more) =>
        options.length > 0 ? (
          <select value={value} onChange={(e) => set(e.target.value)} {...more}>
            <option value="">{t("try.left")}</option>
            {options.map((o) => <option key={o} value={o}>{o.startsWith('"') ? (JSON.parse(o) as string) : o}</option>)}
          </select>
        ) : f.kind === "string" || f.kind === "number" || f.kind === "integer" ? (
          <textarea className="input mono" rows={1} spellCheck={false} value={value} onChange={(e) => set(e.target.value)} {...more} />
        ) : (
          <textarea className="input mono" rows={3} spellCheck={false} placeholder={f.kind === "array" ? "[ ]" : f.kind === "object" ? "{ }" : "JSON"} value={value} onChange={(e) => set(e.target.value)} {...more} />
        )}
    </Labelled>
  );
}
