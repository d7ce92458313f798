/** Korean: the frame of every view: navigation, sign-in, settings, errors. */
import type { frame as en } from "../en/frame";

export const frame: Record<keyof typeof en, string> = {
  "app.name": "Signalbox",
  "app.tagline": "모든 호출은 진로가 설정되고 잠기고 비워질 때까지 정지합니다.",
  "app.skip": "본문으로 건너뛰기",
  "app.loading": "불러오는 중…",
  "app.notFound": "없는 페이지입니다.",
  "app.home": "개요로 가기",

  "nav.label": "화면",
  "nav.audit": "감사",
  "nav.waiting": "건 대기",
  "nav.inForce": "건 시행 중",

  "login.title": "로그인",
  "login.key": "API 키",
  "login.hint": "키는 sb_로 시작하거나 설정 파일에 적혀 있습니다. 이 화면에는 키의 테넌트와 역할이 볼 수 있는 것만 보입니다.",
  "login.submit": "로그인",
  "login.busy": "로그인 중…",
  "login.create": "키가 없다면 운영자가 다음 명령으로 만듭니다",
  "login.refused": "등록되지 않았거나 폐기된 키입니다.",
  "login.empty": "API 키를 입력하세요.",
  "login.or": "또는 조직 계정으로",
  "login.with": "{provider} 계정으로 계속",

  "session.signOut": "로그아웃",
  "session.role": "역할",
  "theme.label": "색상",
  "theme.dark": "어둡게",
  "theme.light": "밝게",
  "theme.auto": "시스템",
  "lang.label": "언어",

  "asof.label": "데이터 기준",
  "asof.age": "{age} 전",
  "asof.refresh": "새로 고침",
  "asof.refreshing": "새로 고치는 중…",

  "error.title": "불러오지 못했습니다",
  "error.unreachable": "Signalbox가 응답하지 않습니다. 실행 중인지 확인하세요.",
  "error.remedy": "해결 방법",
  "error.request": "요청",
  "error.retry": "다시 시도",
  "error.render": "이 화면에 오류가 났습니다. 다른 화면은 쓸 수 있습니다.",

  "range.label": "기간",
  "range.1h": "최근 1시간",
  "range.6h": "최근 6시간",
  "range.24h": "최근 24시간",
  "range.7d": "최근 7일",
  "range.30d": "최근 30일",
  "range.all": "전체 기간",
  "range.custom": "직접 지정",
  "range.from": "시작",
  "range.to": "끝",

  "chart.table": "표로 보기",
  "chart.time": "시각",

  "confirm.cancel": "취소",
  "confirm.busy": "처리 중…",
};
