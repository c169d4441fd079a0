"""English word lists of the guards. A guard that finds none of its words in the original does not apply."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CARDINALS = """
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty
"""
NUMBER_WORDS = {word: str(number) for number, word in enumerate(_CARDINALS.split(), start=2)}

IMPERATIVES = _words("""
    act add adopt advise analyse analyze answer apply argue arrange assess assign assume behave brainstorm break
    build calculate categorise categorize choose cite clarify classify code combine come comment compare compile
    complete compose compute conclude consider construct contrast convert convince correct count craft create
    critique debate debug decide deduce define demonstrate derive describe design detail determine develop devise
    differentiate discuss distinguish divide draft draw edit elaborate embody embrace enumerate estimate evaluate
    examine expand explain explore express extract fill find fix follow formulate generate give go group guess guide
    help highlight identify illustrate imagine implement improve include infer interpret introduce invent
    investigate judge justify keep let let's list look make match mention model name narrate offer organise organize
    outline paraphrase perform pick picture plan play point pose predict prepare present pretend print produce
    program proofread propose prove provide put rank rate read recommend reflect relate reply rephrase report
    research respond restate return review revise rewrite role-play say score search select share show simplify
    simulate sketch solve sort speak specify state structure suggest summarise summarize suppose take talk teach
    tell think trace transform translate try turn understand use verify walk weigh write
    """)

# Words that may come before an imperative.
LEADS = _words("please kindly first firstly second then next finally also now briefly clearly so just")

QUESTIONS = _words(
    "how what what's which who who's whom whose why can could would should will is are do does did has have"
)

# Words that turn a demand into another one where they are lost or added.
RESTRICTIONS = _words(
    "not never no without except only least fewer less half twice double neither nor following above below many much"
)

STOPWORDS = _words("""
    a about across after all also am among an and any are around as at be been being between both but by can
    could did do does during each for from give had has have he her here him his how i i'd i'll i'm i've if in
    into is it it's its let let's like make may me more most my no not of on one or our over per please she
    should so some such than that the their them then there these they this those through to two up upon us use
    using very was we were what what's when where which while who whom whose why will with within would write
    you your
""")

# A text that ends in one of these is cut.
DANGLING = _words("a an the of to and or with in for on at by from as that which whose is are")
