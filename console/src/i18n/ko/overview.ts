/** Korean: the overview. */
import type { overview as en } from "../en/overview";

export const overview: Record<keyof typeof en, string> = {
  "overview.title": "개요",
  "overview.window": "최근 24시간",
  "overview.running": "지금 진행 중 {count}건",
  "overview.failures": "오류",
  "overview.failureShare": "호출의 {share}, 거부·차단 {refused}건",
  "overview.perCall": "호출당 {cost}",
  "overview.unpriced": "가격 없는 호출 {count}건",
  "overview.tokens": "토큰",
  "overview.tokensSplit": "입력 {input}, 출력 {output}",
  "overview.latency": "지연 p50",
  "overview.p95": "지연 p95",
  "overview.p95Hint": "20건 중 1건은 더 오래 걸림",
  "overview.chart": "시간별 호출과 비용",
  "overview.chartLabel": "시간별 호출, 오류, 비용 그래프. 호출 {calls}건, 오류 {failures}건, 비용 {cost}.",
  "overview.failed": "최근 실패",
  "overview.noFailures": "최근 24시간 동안 실패한 호출이 없습니다.",
  "overview.allFailures": "실패 전체 보기",
  "overview.tight": "가장 빠듯한 예산",
  "overview.tightPart": "처음 {count}개 계정 가운데서 골랐습니다.",
  "overview.allBudgets": "예산 전체 보기",
  "overview.noneTight": "한도가 있는 예산을 아직 아무도 쓰지 않았습니다.",
  "overview.allBrakes": "작동 중인 제동 전체 보기 ({count})",
  "overview.quiet": "최근 24시간 동안 호출이 없습니다.",
  "overview.demo": "예제 트래픽을 보려면 실행하세요",
};
