"""How Japanese demands a form of answer."""

from services.mutation.demands.kinds import Demand
from services.mutation.demands.words import Words

_NUMBER = r"(?:[\d０-９]{1,3}|[一二三四五六七八九十]{1,3})"

JAPANESE = Words(
    {
        Demand.TRANSLATION: r"翻訳|訳して|訳せ|英訳|和訳|訳を|に直して",
        Demand.LABEL: (
            r"分類|ラベル|カテゴリ|はいかいいえ|はい[」』]?(?:か|または|、)|正しいか|感情|ポジティブ|ネガティブ"
            r"|選んで|選択|どちらか"
        ),
        Demand.FIELDS: r"抽出|抜き出|取り出|すべて挙げ|全て挙げ",
        Demand.EDIT: r"書き直|言い換え|校正|添削|訂正|修正|推敲|変換|直して",
        Demand.SUMMARY: r"要約|まとめて|要点|要旨",
        Demand.COMPLETION: r"穴埋め|埋めて|完成させ|続きを",
        Demand.ONLY: (
            r"だけ|のみ|以外|説明(?:は|なし|せず|不要)|不要|なしで|つけない|加えない|しないで|余計|簡潔に|ずに"
        ),
        Demand.FORMAT: (
            r"(?i:json|csv|xml|yaml|markdown)|形式|表に|表で|箇条書き|リスト|一行|１行|1行|行ごと|カンマ"
            r"|フォーマット|大文字"
        ),
        Demand.COUNT: rf"{_NUMBER}(?:文字|字|語|単語|文|行|段落|言)|以内|以下で|一言|ひとこと|ひと言|一文",
        Demand.BRIEF: r"短く|簡潔|簡単に|手短|端的|短い|要するに|かんたんに",
        Demand.TITLE: r"タイトル|題名|見出し|件名|スローガン|キャッチ|名前を|標語|同義語|類語|反対語",
        Demand.VERSE: r"詩|俳句|短歌|川柳|歌詞",
        Demand.LIST: rf"{_NUMBER}(?:つ|個|人|件|種類)(?:だけ)?(?:を)?(?:挙げ|あげ|教え|書|列挙|示)|列挙|挙げて|あげて",
        Demand.TONE: r"口調|文体|トーン|丁寧|敬語|調で|風に",
    },
    task=r"分類|ラベル|抽出|翻訳|要約|変換|出力|返して|返す|判定|校正|(?i:json)",
    always=r"今後|これから|常に|いつも|毎回|すべて|全て|必ず|以降",
    follows=r"(?:では|じゃあ|それでは|次|また|あと|そして|同じ)",
    opens=r"説明して|なぜ|どうして|どのように|比較|詳しく|理由|分析|述べ",
)
