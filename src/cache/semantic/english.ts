/** English, as the tables of `lexicon.ts` have it. A word in two tables counts as what the later one says. */
import { ENGLISH_PHRASES } from "./english-phrases.ts";
import { lexiconOf } from "./lexicon.ts";

export const ENGLISH = lexiconOf({
  telltale:
    "the a an is are was were do does did how what why when where who which of to in for with and my your you i it this that can please not",
  phrases: ENGLISH_PHRASES,
  light: `
    a an the this that these those it its there here
    of to in on at for with by and as so then than about into from
    be been being done have having would could
    what which show give explain describe define explanation description list name say mean meaning
    definition provide information info details located considered
    please thanks thank hello hi hey just really very also too actually simply basically
    okay any using use via per such`,
  roles: {
    word: `
      buy purchase
      car automobile
      fix solve resolve repair
      summary summarize summarise summarizing
      create write generate compose make draft produce
      recommend suggest recommendation suggestion
      advantage benefit pro
      disadvantage drawback con
      author wrote written writer
      invent invented inventor invention
      cause causes caused
      change update modify alter edit
      contact reach
      improve improvement
      late delayed
      big large huge
      fast quick rapid
      option way
      differ difference different
      mt mount
      recipe cook
      unwell ill sick
      movie film
      picture image photo
      mail email e-mail
      phone telephone
      begin start
      error bug
      child kid
      doctor physician
      cost price`,
    opposite: `
      increase raise boost grow increasing increased
      decrease reduce lower shrink decreasing decreased
      enable activate enabled activated
      disable deactivate disabled deactivated
      before prior
      after
      first
      last
      next
      previous
      max maximum
      min minimum
      more
      most
      less fewer
      least
      under below beneath
      over above
      up
      down
      off
      out
      away
      start begin starting started beginning
      stop end finish ending ended stopped stopping finished
      open opened opening
      close shut closed closing
      delete remove erase drop deleting removing
      add insert adding
      import importing
      export exporting
      buy purchase buying
      sell selling sold
      true
      false
      largest biggest
      smallest
      highest
      lowest
      tallest
      best
      worst
      better
      worse
      cheap cheaper
      cheapest
      expensive
      hot
      cold
      old older
      oldest
      young younger
      youngest
      morning
      evening
      or
      if
      while during
      than
      inside within
      outside
      left
      right
      same
      opposite
      against`,
    negation: `
      not no never neither nor cannot nobody nothing nowhere
      without lacking
      except excluding apart unless
      only solely exclusively
      instead
      hardly barely`,
    quantifier: `
      all every each
      some several
      none
      both
      either
      most
      many
      few
      always
      sometimes
      often
      rarely seldom
      atleast minimum
      atmost
      morethan exceeding
      lessthan
      exactly
      half
      quarter
      third
      dozen
      couple`,
    time: `
      today today's
      tomorrow tomorrow's
      yesterday yesterday's
      tonight
      now currently
      january jan
      february feb
      march
      april apr
      may
      june jun
      july jul
      august aug
      september sep sept
      october oct
      november nov
      december dec
      monday mon
      tuesday tue
      wednesday wed
      thursday thu
      friday fri
      saturday sat
      sunday sun
      weekend weekends
      weekday weekdays`,
    question: `
      who whom
      whose
      when
      where
      why
      how
      howto
      howmany
      howmuch
      howlong
      howoften
      howold howage
      howtall howheight
      howfar howdistance
      howfast howspeed
      howhigh
      howbig howlarge
      howdeep
      howheavy
      howwide`,
    tense: `
      was were did had
      is are am do does has
      will shall`,
    modal: `
      can could may might able
      should ought
      must required`,
    person: `
      i me myself we us
      you yourself`,
    owner: `
      my mine
      your yours
      his
      her hers
      our ours
      their theirs`,
  },
  loose: "of in on at with using for",
  binding: "to into from by about than against",
  numbers:
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty",
  moreNumbers: {
    thirty: 30,
    forty: 40,
    fifty: 50,
    sixty: 60,
    seventy: 70,
    eighty: 80,
    ninety: 90,
    hundred: 100,
    thousand: 1_000,
    million: 1_000_000,
    billion: 1_000_000_000,
  },
  stem: stemmed,
});

/** Without the ends that only say how many, when or who. */
function stemmed(word: string): string {
  if (word.length < 4 || /[^a-z]/.test(word)) return word;
  if (/(?:ss|us|is)$/.test(word)) return word;
  const singular = word
    .replace(/ies$/, "y")
    .replace(/(?<=[sxz]|ch|sh)es$/, "")
    .replace(/s$/, "");
  const bare = singular.replace(/(?<=[a-z]{3})(?:ing|ed)$/, "");
  if (bare === singular) return singular.replace(/(?<=[a-z]{3})e$/, "");
  return bare.replace(/([bdfgmnprt])\1$/, "$1").replace(/(?<=[a-z]{3})e$/, "");
}
