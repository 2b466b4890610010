"""Short posts in many languages, written for Postscope: what the text towers are calibrated and tested on."""

from __future__ import annotations

from typing import Final

POSTS: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "My flight was cancelled twice today and nobody at the desk knows where my luggage is 😡 #neveragain",
        "The new bakery on Mill Street does the best sourdough I have had in years.",
        "How do I sort a dictionary by value in Python?",
        "GOAL!!! 2-1 in the 93rd minute, I can't believe what I just saw https://example.org/live @cityfans",
    ),
    "es": (
        "Hoy se ha ido la luz en todo el barrio y llevamos tres horas esperando, ¿alguien sabe algo?",
        "Receta rápida: tortilla de patatas con cebolla, lista en veinte minutos 🍳",
    ),
    "de": (
        "Der Zug hat schon wieder 45 Minuten Verspätung, so langsam wird es lächerlich.",
        "Wunderschöner Sonnenaufgang über den Alpen heute früh. #wandern #berge",
    ),
    "fr": (
        "La grève continue demain, pensez à prendre le vélo si vous habitez près du centre.",
        "J'ai adoré ce film, mais la fin m'a laissée complètement perplexe…",
    ),
    "it": (
        "Finalmente ho trovato un caffè decente vicino all'ufficio, la giornata è salva ☕",
        "Qualcuno mi consiglia un buon libro da leggere in spiaggia?",
    ),
    "pt": (
        "O jogo de ontem foi uma vergonha, o time inteiro dormiu em campo.",
        "Bom dia! A praia está vazia e o mar perfeito para nadar 🌊",
    ),
    "nl": ("Het regent al de hele week, maar de fiets blijft toch de snelste manier om op het werk te komen.",),
    "sv": ("Snön kom tidigt i år och barnen byggde en gubbe som är större än jag.",),
    "pl": ("Nowa aktualizacja całkowicie popsuła mi telefon, bateria pada po dwóch godzinach.",),
    "cs": ("Včera jsme viděli polární záři, nádhera, jakou člověk jen tak nezažije.",),
    "ro": ("Piața din colț are cele mai bune roșii, dar trebuie să ajungi înainte de opt.",),
    "hu": ("A koncert fantasztikus volt, bár a hangosítás az elején nem működött rendesen.",),
    "tr": ("Depremden sonra herkes sokakta, umarım kimseye bir şey olmamıştır.",),
    "ru": (
        "Сегодня утром опять пробки на всех мостах, опоздал на работу на целый час.",
        "Кто-нибудь пробовал новый фотоаппарат? Стоит ли он своих денег?",
    ),
    "uk": ("Соняшники вже зацвіли, і все поле за селом стало золотим.",),
    "el": ("Η συναυλία αναβλήθηκε λόγω βροχής, τα εισιτήρια ισχύουν για την επόμενη εβδομάδα.",),
    "ar": (
        "أسعار الخضار ارتفعت مرة أخرى هذا الأسبوع، ولا أحد يعرف السبب.",
        "أجمل غروب شمس رأيته في حياتي كان أمس على شاطئ البحر 🌅",
    ),
    "fa": ("کتابخانهٔ محله دوباره باز شد و بچه‌ها خیلی خوشحال‌اند.",),
    "he": ("מישהו יודע אם הרכבת לחיפה נוסעת היום או שוב יש עיכובים?",),
    "hi": (
        "आज बारिश इतनी तेज़ थी कि पूरी सड़क पानी में डूब गई।",
        "क्रिकेट का कल का मैच बहुत रोमांचक था, आख़िरी गेंद तक पता नहीं था कौन जीतेगा।",
    ),
    "bn": ("নতুন মেট্রো লাইন চালু হওয়ায় অফিসে যেতে এখন মাত্র বিশ মিনিট লাগে।",),
    "ta": ("இன்று மாலை கடற்கரையில் இலவச இசை நிகழ்ச்சி நடைபெறுகிறது.",),
    "th": ("ร้านก๋วยเตี๋ยวหน้าปากซอยอร่อยมาก แต่ต้องรอคิวเกือบชั่วโมง",),
    "vi": ("Cà phê sáng nay ngon tuyệt, ngồi ngắm mưa cả buổi cũng không chán.",),
    "id": ("Harga tiket kereta naik lagi menjelang liburan, lebih baik pesan dari sekarang.",),
    "sw": ("Mvua kubwa imeharibu barabara ya kwenda sokoni, tafadhali tumieni njia nyingine.",),
    "zh": (
        "今天的地铁又晚点了，站台上挤满了人，希望明天能恢复正常。",
        "新手机的电池真不错，用了整整两天才需要充电。",
    ),
    "ja": (
        "昨日の花火大会は本当にきれいだった。来年も絶対に行きたい！",
        "新しいカメラを買ったけど、設定が難しすぎて全然使いこなせない。",
    ),
    "ko": (
        "오늘 경기 정말 대단했어요, 마지막 순간에 역전할 줄은 아무도 몰랐죠.",
        "동네 도서관이 다시 문을 열어서 아이들이 무척 좋아해요.",
    ),
}
"""Language code to posts, with the hashtags, handles, links and emoji of real ones."""

ALL_POSTS: Final[tuple[str, ...]] = tuple(post for posts in POSTS.values() for post in posts)
