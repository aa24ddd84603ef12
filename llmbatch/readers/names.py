"""What a field's name says about it: in any case, as one word or several, in the common languages of files."""

import re
import unicodedata
from collections.abc import Sequence

ID_NAMES = (
    "id", "_id", "uuid", "guid", "doc_id", "docid", "document_id",
    "row_id", "record_id", "item_id", "identifier", "key",
)  # fmt: skip
"""Names that are taken for the id, best first."""

TEXT_NAMES = (
    "text", "content", "body", "document", "message", "description", "review", "comment", "sentence", "utterance",
    "question", "query", "abstract", "summary", "transcript", "article", "passage", "post", "tweet", "note",
    "full_text", "raw_text", "prompt", "input", "headline", "subject", "title",
)  # fmt: skip
"""Names that are taken for the text, best first."""

_TITLES = frozenset(
    {
        "title", "subject", "headline", "heading", "summary", "titel", "betreff", "uberschrift", "titre",
        "objet", "sujet", "titulo", "asunto", "titolo", "oggetto", "assunto", "onderwerp", "temat", "tytuł",
        "заголовок", "тема", "标题", "標題", "题目", "件名", "タイトル", "題名", "제목", "baslik", "konu",
    }
)  # fmt: skip
_TEXTS = ({name for name in TEXT_NAMES if "_" not in name} - _TITLES) | {
        "texts", "bodies", "contents", "comments", "messages", "reviews", "notes", "feedback", "complaint",
        "complaints", "answer", "reply", "response", "remark", "narrative", "statement", "story", "quote",
        "caption", "dialogue", "conversation", "utterances", "transcription", "beschreibung", "inhalt",
        "nachricht", "kommentar", "bewertung", "rezension", "frage", "texte", "contenu", "corps",
        "commentaire", "avis", "texto", "contenido", "cuerpo", "mensaje", "comentario", "descripcion",
        "resena", "opinion", "testo", "contenuto", "messaggio", "commento", "descrizione", "recensione",
        "mensagem", "conteudo", "descricao", "comentarios", "tekst", "bericht", "omschrijving", "opmerking",
        "tresc", "opis", "wiadomosc", "текст", "сообщение", "описание", "комментарий", "отзыв", "содержание",
        "正文", "内容", "內容", "文本", "评论", "評論", "本文", "テキスト", "コメント", "説明",
    "본문", "내용", "텍스트", "리뷰", "댓글", "metin",
        "yorum", "icerik", "mesaj",
}  # fmt: skip
_OTHERS = frozenset(
    {
        "id", "ids", "uuid", "key", "index", "url", "urls", "link", "links", "uri", "href", "image", "img",
        "path", "file", "filename", "folder", "date", "time", "timestamp", "datetime", "day", "created",
        "updated", "modified", "author", "user", "username", "name", "names", "email", "mail", "phone",
        "address", "street", "city", "country", "region", "location", "place", "category", "categories",
        "class", "label", "labels", "tag", "tags", "type", "kind", "status", "state", "lang", "language",
        "locale", "source", "channel", "hash", "sha", "md5", "checksum", "code", "sku", "isbn", "asin",
        "version", "license", "licence", "copyright", "bio", "biography", "profile", "signature", "gold",
        "annotation", "rationale", "explanation", "reasoning", "reason", "datum", "ort", "stadt", "autor",
        "auteur", "autore", "fecha", "data", "kategorie", "categorie", "categoria", "sprache", "langue",
        "idioma", "lingua",
    }
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[^\W\d_]+")
_NUMBER_AT_END = re.compile(r"[\s_.-]*\d+$")


def is_exact_text(name: str) -> bool:
    """Whether a field has one of the most common names for text."""
    folded = _joined(name)
    return folded in TEXT_NAMES and folded not in _TITLES


def rank(name: str) -> int:
    """The rank of a usual name; lower is better."""
    folded = _joined(name)
    return TEXT_NAMES.index(folded) if folded in TEXT_NAMES else len(TEXT_NAMES)


def is_title(name: str) -> bool:
    """Whether it is the name of a heading for a text: a title, a subject, a summary."""
    return _kind(name) == "title"


def likelihood(name: str) -> float:
    """How much more likely the field with this name is the text than one whose name says nothing."""
    if is_exact_text(name):
        return _EXACT
    return _LIKELIHOODS[_kind(name)]


def without_number(name: str) -> str:
    """The common part of repeated columns: `Comment` for `Comment_2`."""
    return _NUMBER_AT_END.sub("", name).casefold()


_EXACT = 10.0
_LIKELIHOODS = {"text": 2.0, "": 1.0, "title": 0.25, "other": 0.1}


def _kind(name: str) -> str:
    """The kind by its last meaningful word: a `review_date` is a date, a `summary_text` a text."""
    for word in reversed(_words(name)):
        for kind, words in (("title", _TITLES), ("text", _TEXTS), ("other", _OTHERS)):
            if word in words:
                return kind
    return ""


def _words(name: str) -> Sequence[str]:
    return [_plain(word) for word in _WORD.findall(name)]


def _joined(name: str) -> str:
    return "_".join(_words(name))


def _plain(word: str) -> str:
    """In lower case, without the accents of Latin letters."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
    return plain if plain.isascii() else unicodedata.normalize("NFC", word.casefold())
