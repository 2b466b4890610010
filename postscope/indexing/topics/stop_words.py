"""Words that say nothing of what a text is about. Short on purpose: the weighting by class does most of it."""

from __future__ import annotations

from typing import Final

_LISTS: Final = {
    "en": """about after again all also am an and any are aren't as at be because been before being but by can can't
        cannot could did didn't do does doesn't doing don't down for from get gets getting go goes going gonna got had
        has have haven't having he her here hers him his how i i'd i'll i'm i've if in into is isn't it it's its just
        let like me more most my no nor not now of off on once one only or other our out over own re really rt same
        she should shouldn't so some such than that that's the their them then there these they they're this those
        through to too under until up us use using very via want was wasn't way we we're were what when where which
        while who why will with without won't would you you're your yours amp http https www
        two three four five six seven eight nine ten first second third last next anyone everyone someone nobody
        anything everything something nothing still never ever always again today yesterday tomorrow""",
    "de": """aber alle als am an auch auf aus bei bin bis bist da damit dann das dass dein dem den der des die dies
        diese dir doch du durch ein eine einem einen einer er es für habe haben hat ich ihr im in ist ja kann kein
        keine man mein mich mir mit nach nicht noch nur ob oder ohne schon sehr sein sich sie sind so über um und uns
        vom von vor war was wenn wer werden wie wieder wir wird zu zum zur
        zwei drei vier fünf heute gestern morgen immer nie etwas nichts""",
    "fr": """ai as au aux avec c'est ce ces cette comme dans de des du elle en est et eu fait il ils j'ai je la le les
        leur lui ma mais me mes moi mon ne nos notre nous on ont ou où par pas plus pour qu que qui sa sans se ses
        si son sont sur ta te tes toi ton tout tu un une vos votre vous été être
        deux trois quatre cinq hier demain aujourd'hui toujours jamais rien""",
    "es": """al algo como con cuando de del desde donde el ella ellos en era eres es esa ese eso esta está este esto
        fue ha hasta hay la las le les lo los me mi más muy ni no nos o para pero por porque que qué se sea ser si sí
        sin sobre son su sus también te tengo tiene todo tu tú un una uno y ya yo
        dos tres cuatro cinco hoy ayer mañana siempre nunca nada""",
    "pt": """ao aos as até com como da das de dele do dos e ela ele em entre era essa esse esta está este eu foi há
        isso isto já lhe mais mas me mesmo meu minha muito na nas no nos não num numa o os ou para pela pelo por
        quando que quem se sem ser seu sua são só também te tem um uma você
        dois duas três quatro hoje ontem amanhã sempre nunca nada""",
    "it": """agli ai al alla anche che chi ci come con da dal dalla de dei del della delle di dove e ed era gli ha
        hanno ho i il in io la le lei lo loro lui ma mi nel nella no noi non o per perché più quando quello questa
        questo se sei si sono su sua sul suo ti tra tu un una voi è
        due tre quattro cinque oggi ieri domani sempre niente""",
    "nl": """aan als bij dan dat de deze die dit doen door een en er geen had heb heeft het hij hoe ik in is je kan
        maar me meer met mij mijn naar niet nog nu of om onder ook op over te tot uit van veel voor was wat we wel
        wij worden wordt ze zich zij zijn zo zou
        twee drie vier vijf vandaag gisteren morgen altijd nooit niets""",
    "sv": """att av de den det du efter en ett för från han har hon i inte jag kan man med men mig min när och om på
        sig som så till upp ut var vi vill är""",
    "pl": """ale bo by być co czy dla do go i ich ja jak jako je jest już kiedy który ma mi mnie może na nie o od po
        pod przez się sobie są ta tak tam te tego ten to tu ty tylko w we więc z za ze że""",
    "tr": """ama ben bir biz bu bunu da daha de değil en gibi her için ile ise kadar ki mi mı mu ne o olan olarak
        sen siz şu ve veya ya yok çok
        iki üç dört beş bugün dün yarın her hiç""",
    "id": """ada adalah akan aku atau bisa dan dari dengan di dia ini itu jadi juga kalau kamu karena ke kita lagi
        mau nya pada saya sudah tidak untuk yang""",
    "ru": """а без бы был была были было быть в вам вас весь во вот все вы где да для до его ее её если есть еще ещё
        же за и из или им их к как ко когда кто ли мне меня мы на не него нет ни но о об он она они от по при с со
        так там то тоже только ты у уже что чтобы это этого этот я""",
    "uk": """а або але був була були було в ви від він вона вони все для до є же з за і їх її його й коли ми на не
        ні о по при про та так те ти то у хто це цей що щоб я як""",
    "ar": """أن أو إلى إن التي الذي الى ان او اي بعد بل بين ثم حتى على عن عند في قبل قد كان كل كما لا لكن لم لن له
        ما مع من منذ هذا هذه هل هو هي و يا""",
    "hi": """और इस इसे उस एक ऐसा कर करने का कि की कुछ के को कोई क्या गया जब जो तक तो था थी थे दिया ने नहीं पर
        भी मैं में यह या ये रहा वह वे से हम ही हुआ है हैं हो होता""",
    "ja": """ある いる いう おる か が から くる けど こと これ さん した して しない する せる その それ そう た ため
        だ だけ って て で です でも と という とき な ない なる に の は へ ます まで も もう もの や よ よう
        より られる
        れる ん を 枚 個 本 人 回 度 外 中 今日 昨日 明日""",
    "zh": """一 一个 上 不 不是 与 个 中 为 也 了 了吗 什么 他 他们
        会 但 你 你们 便 再 到 又 及 只 可以 吗 吧 呢 和
        因为 在 大 她 对 就 很 想 我 我们 所以 把 是 有 来 没 没有 的 着 给 要 说 还 这 这个 那 那个 都 里 让 被""",
    "th": """ก็ กับ การ ของ ขึ้น คือ จะ จาก ฉัน ซึ่ง ด้วย ดี ที่ ที่จะ ทั้ง ทำ นั้น นี้ ใน เป็น ไป ไม่ มา มี ยัง และ แล้ว
        แต่ ว่า ให้ ได้ เพราะ เรา ผม ครับ ค่ะ คะ นะ""",
    "ko": """가 것 과 그 나 내 너 는 더 도 를 로 및 에 와 은 을 의 이 있는 저 좀 한 하는""",
}

STOP_WORDS: Final[frozenset[str]] = frozenset(word for words in _LISTS.values() for word in words.split())
"""Folded. One set for all languages: a text of one language rarely means the stop word of another."""
