import { useI18n } from "../i18n";
import { useTheme, type Choice } from "./theme";

export function Prefs({ className }: { className: string }) {
  const { t, lang, setLang } = useI18n();
  const { choice, choose } = useTheme();
  return (
    <div className={className}>
      <label>
        <span>{t("lang.label")}</span>
        <select value={lang} onChange={(e) => setLang(e.target.value === "ko" ? "ko" : "en")}>
          <option value="en" lang="en">
            English
          </option>
          <option value="ko" lang="ko">
            한국어
          </option>
        </select>
      </label>
      <label>
        <span>{t("theme.label")}</span>
        <select value={choice} onChange={(e) => choose(e.target.value as Choice)}>
          <option value="auto">{t("theme.auto")}</option>
          <option value="dark">{t("theme.dark")}</option>
          <option value="light">{t("theme.light")}</option>
        </select>
      </label>
    </div>
  );
}
