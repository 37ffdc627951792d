"""Language codes in file names: ISO 639 codes, BCP 47 tags, English names."""

from __future__ import annotations

import re

# ISO 639-1 = ISO 639-2/T [/B where it differs]; the languages that subtitles come in.
_CODES = (
    "af=afr am=amh ar=ara as=asm az=aze be=bel bg=bul bn=ben bo=bod/tib br=bre bs=bos ca=cat"
    " cs=ces/cze cy=cym/wel da=dan de=deu/ger el=ell/gre en=eng eo=epo es=spa et=est eu=eus/baq"
    " fa=fas/per fi=fin fo=fao fr=fra/fre fy=fry ga=gle gd=gla gl=glg gu=guj ha=hau he=heb hi=hin"
    " hr=hrv ht=hat hu=hun hy=hye/arm id=ind ig=ibo is=isl/ice it=ita ja=jpn jv=jav ka=kat/geo"
    " kk=kaz kl=kal km=khm kn=kan ko=kor ku=kur ky=kir la=lat lb=ltz lo=lao lt=lit lv=lav mg=mlg"
    " mi=mri/mao mk=mkd/mac ml=mal mn=mon mr=mar ms=msa/may mt=mlt my=mya/bur nb=nob ne=nep"
    " nl=nld/dut nn=nno no=nor or=ori pa=pan pl=pol ps=pus pt=por qu=que rm=roh ro=ron/rum ru=rus"
    " rw=kin sa=san sd=snd se=sme si=sin sk=slk/slo sl=slv sm=smo sn=sna so=som sq=sqi/alb sr=srp"
    " st=sot su=sun sv=swe sw=swa ta=tam te=tel tg=tgk th=tha ti=tir tk=tuk tl=tgl to=ton tr=tur"
    " tt=tat ug=uig uk=ukr ur=urd uz=uzb vi=vie wo=wol xh=xho yi=yid yo=yor zh=zho/chi zu=zul"
)
_THREE_ONLY = "cmn fil haw hmn mul nan und yue"
_NAMES = (
    "arabic=ar bulgarian=bg chinese=zh croatian=hr czech=cs danish=da dutch=nl english=en"
    " estonian=et finnish=fi french=fr german=de greek=el hebrew=he hindi=hi hungarian=hu"
    " indonesian=id italian=it japanese=ja korean=ko norwegian=no persian=fa polish=pl"
    " portuguese=pt romanian=ro russian=ru serbian=sr spanish=es swedish=sv thai=th turkish=tr"
    " ukrainian=uk vietnamese=vi"
)
_TO_TWO = {
    three: pair.split("=")[0] for pair in _CODES.split() for three in pair.split("=")[1].split("/")
}
_TWO = frozenset(_TO_TWO.values())
_BY_NAME = dict(pair.split("=") for pair in _NAMES.split())
_TAG = re.compile(r"^([A-Za-z]{2,3})(?:[-_]([A-Za-z0-9]{2,8}))*$")


def language_tag(token: str) -> str:
    """Reads one dotted part of a file name as a language.

    Args:
        token: ``en``, ``eng``, ``pt-BR``, ``pt_BR``, ``zh-Hans``, ``English``.

    Returns:
        The code as written (``_`` becomes ``-``, a name becomes its code), or an empty string
        where it names no language. ``Is`` or ``It``, as in a title, do not.
    """
    if name := _BY_NAME.get(token.lower()):
        return name
    match = _TAG.match(token)
    if not match:
        return ""
    code = match[1]
    known = code.lower() in _TWO or code.lower() in _TO_TWO or code.lower() in _THREE_ONLY.split()
    if not known or not (code.islower() or code.isupper()):
        return ""
    return code.lower() + token[len(code) :].replace("_", "-")


def base_language(language: str) -> str:
    """The language without script or region, as two letters where ISO 639-1 has them.

    Args:
        language: A code or tag (``eng``, ``pt-BR``).
    """
    code = re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]
    code = _BY_NAME.get(code, code)
    return "" if code == "und" else _TO_TWO.get(code, code)


def language_rank(language: str, wanted: str) -> int:
    """How well a language fits one that was asked for: 0 the same tag, 1 the base, 2 not at all.

    Args:
        language: What there is; ``eng`` and ``en`` are the same language.
        wanted: What was asked for.
    """
    if base_language(language) != base_language(wanted):
        return 2
    tail = [re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[1:] for tag in (language, wanted)]
    return 0 if tail[0] == tail[1] else 1
