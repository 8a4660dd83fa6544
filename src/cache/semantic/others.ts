/** German, French and Spanish, as far as needed to see what turns a sentence there. What is not in a table must be equal. */
import { lexiconOf } from "./lexicon.ts";

export const GERMAN = lexiconOf({
  telltale:
    "der die das und ist sind ein eine einen dem den des nicht wie was wer wo wann warum ich mein meine für mit von zu im auf es gibt kann bitte welche welcher",
  phrases: [
    [/\bwie viele?\b/g, " wieviel "],
    [/\bwie lange?\b/g, " wielange "],
    [/\bwie (?:kann|könnte|soll) (?:ich|man|wir)\b/g, " wie ich "],
    [/\bsetze? ich (.{1,80}) zurück\b/g, "ich $1 zurücksetzen"],
    [/\bwie hei(?:ß|ss)t\b/g, " was ist "],
    [/\b(?:nenne?|sage?|zeige?|erkläre?) (?:mir|uns)\b/g, " "],
  ],
  light: `
    der die das dem den des ein eine einen einem einer eines und ist sind sei es ich du sie er wir ihr man mir mich uns
    zu zum zur im in am auf von vom für mit bei als so auch bitte mal denn gibt kann können könnte soll was welche welcher
    welches heißt heisst haben hat habe wird werden nenne sage zeige erkläre danke hallo`,
  roles: {
    negation: `
      nicht kein keine keinen keinem keiner nie niemals nichts niemand weder
      ohne
      außer ausser
      nur bloß`,
    quantifier: `
      alle jeder jede jedes
      einige manche
      beide
      mindestens
      höchstens
      mehr
      weniger`,
    opposite: `
      vor
      nach
      an ein
      aus
      öffnen
      schließen
      erste
      letzte`,
    time: `
      heute
      morgen
      gestern
      jetzt`,
    question: `
      wer
      wann
      wo
      warum weshalb wieso
      wie
      wieviel
      wielange`,
    tense: `
      war waren wurde wurden`,
  },
  numbers: "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
});

export const FRENCH = lexiconOf({
  telltale:
    "le la les un une des du de et est sont que qui quoi quel quelle comment pourquoi je mon ma mes vous pour avec dans sur il pas ne peut puis à ce cette",
  phrases: [
    [/\b(?:puis-je|peut-on|est-ce que)\b/g, " "],
    [/\bdis-moi\b/g, " "],
    [/\bs'il (?:te|vous) pla[iî]t\b/g, " "],
    [/\b[ldjmts]'/g, " "],
    [/\baujourd'hui\b/g, " aujourdhui "],
  ],
  light: `
    le la les un une des du de et est sont ce cette je tu il elle on nous vous me moi te se à au aux en dans pour avec sur
    que quel quelle quels quelles quoi fait suis peut peux puis merci bonjour donne donnez`,
  roles: {
    negation: `
      ne pas non jamais rien aucun aucune personne ni
      sans
      sauf
      seulement uniquement`,
    quantifier: `
      tous toutes tout chaque
      quelques certains
      plus
      moins`,
    opposite: `
      avant
      après`,
    time: `
      aujourdhui
      demain
      hier`,
    question: `
      qui
      quand
      où
      pourquoi
      comment
      combien`,
    owner: `
      mon ma mes
      ton ta tes votre vos`,
  },
  numbers: "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
});

export const SPANISH = lexiconOf({
  telltale:
    "el la los las un una de del y es son que qué cuál quién cómo dónde cuándo por para con en mi tu su se no puedo está hay",
  phrases: [
    [/\bpor qué\b/g, " porqué "],
    [/\bciudad capital\b/g, " capital "],
    [/\bcómo (?:puedo|podría|puede)?\b/g, " cómo "],
    [/\bcambi(?:o|ar)\b/g, " cambiar "],
  ],
  light: `
    el la los las un una unos unas de del y es son a al en para con se me te lo que qué cuál cuáles puedo puede hay está por
    favor gracias hola dame dime`,
  roles: {
    negation: `
      no nunca jamás nada nadie ninguno ninguna ni
      sin
      excepto salvo
      sólo solo solamente`,
    quantifier: `
      todos todas cada
      algunos algunas
      más
      menos`,
    opposite: `
      antes
      después`,
    time: `
      hoy
      mañana
      ayer`,
    question: `
      quién quien
      cuándo
      dónde
      porqué
      cómo
      cuánto cuánta cuántos cuántas`,
    owner: `
      mi mis
      tu tus`,
  },
  numbers: "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
});
