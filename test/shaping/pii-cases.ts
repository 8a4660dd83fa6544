/**
 * Texts with personal data, one a line, each marked as {category:what is to be found}. Every number is made up; its check
 * digits were computed apart from the code under test.
 */

export const PERSONAL = `
My card is {card:4290 5541 2403 1359}, please charge it.
Visa {card:4641 9899 0136 5321} exp 04/27 cvv 123
card number:{card:5113351494492192}
pay with {card:2221-4785-2405-0876}\\nthanks
Amex {card:3783 628216 31015}
amex={card:346792439753182};
Discover {card:6011432032535063}.
JCB: {card:3530 4043 7676 7759} (JP)
Diners {card:3676 178466 8654}
银联卡 {card:6269079547885175829} 谢谢
UnionPay {card:6253 7953 0458 4242}
Mir {card:2200 9913 3370 3514}
Maestro {card:6759873023097363}
old visa {card:4796476386908}
"pan": "{card:4386584870629564}"
{'number': '{card:5551422380340560}', 'exp': '12/29'}
carte bancaire n° {card:4107\u00a06959\u00a08549\u00a00482}
Karte {card:5367 1325 0647 8236} 12 28 gültig
it ends in 1234, the whole is {card:5242 4143 3433 7029}
RuPay {card:6022 0077 7281 7256}
4 cards: {card:6445040442314668} and another
tarjeta {card:4897-5909-1033-0628}
[{card:4043060182405857}]
<b>{card:5419129894049775}</b>
two cards, {card:4625871518419396} and {card:5160 5647 8135 5557}
IBAN {iban:GB82 WEST 1234 5698 7654 32}
bitte auf {iban:DE89370400440532013000} überweisen
Please send it to {iban:FR14 2004 1010 0505 0001 3M02 606} today.
virement vers {iban:nl91abna0417164300}, merci
conto: {iban:ES91 2100 0418 4502 0005 1332}
rekening {iban:IT60X0542811101000000123456};
account={iban:CH93 0076 2011 6238 5295 7}
({iban:at61 1904 3002 3457 3201})
IBAN {iban:BE68 5390 0754 7034}
bitte auf {iban:PL61109010140000071219812874} überweisen
Please send it to {iban:SE45 5000 0000 0583 9825 7466} today.
virement vers {iban:NO9386011117947}, merci
conto: {iban:PT50 0002 0123 1234 5678 9015 4}
rekening {iban:IE29AIBK93115212345678};
account={iban:SA03 8000 0000 6080 1016 7519}
({iban:TR330006100519786457841326})
IBAN {iban:MT84 MALT 0110 0001 2345 MTLC AST0 01S}
bitte auf {iban:AE070331234567890123456} überweisen
Please send it to {iban:BR97 0036 0305 0000 1000 9795 493P 1} today.
virement vers {iban:FI2112345600000785}, merci
GB account {iban:GB60 BARC 2000 0055 7799 11} is mine
SSN {us_ssn:536-90-4399}
his social is {us_ssn:212-09-7694} ok
ssn: {us_ssn:219099999}
Social Security Number: {us_ssn:457 55 5462}
ssn={us_ssn:001-01-0001}
"ssn":"{us_ssn:899-54-1234}"
social security number is {us_ssn:123456781}
NI number {uk_nino:AB 12 34 56 C}
nino {uk_nino:JG103759A}
my national insurance: {uk_nino:SC 12 34 56 D}.
NI: {uk_nino:AA123456A}
ni {uk_nino:ce 12 34 56 b} please
NHS number: {uk_nhs:705 811 5141}
NHS no. {uk_nhs:1076512747}
Steuer-ID: {de_tax_id:32186459979}
Steuer-ID: {de_tax_id:34 751 036 826}
IdNr. {de_tax_id:67498325139}
IdNr. {de_tax_id:97 560 301 246}
meine Steueridentifikationsnummer lautet {de_tax_id:94743286153}.
meine Steueridentifikationsnummer lautet {de_tax_id:98 295 437 166}.
NIR {fr_nir:198010564274847}
NIR {fr_nir:1 50 04 49 267 751 90}
n° de sécurité sociale : {fr_nir:140079162860562}
n° de sécurité sociale : {fr_nir:2 73 03 86 310 244 25}
ma sécu: {fr_nir:148042372395702}
ma sécu: {fr_nir:2 44 02 03 497 152 93}
née en Corse, {fr_nir:284072A19169219}
DNI {es_dni:60626364C}
mi DNI es {es_dni:08557586E}.
D.N.I.: {es_dni:45512426A}
dni {es_dni:76451523-Y}
DNI {es_dni:22.152.187-J}
dni: {es_dni:04310022y}
NIE {es_nie:Z3702741E}
extranjero con NIE {es_nie:Y6305031D},
nie {es_nie:X-5619598-P}
Codice fiscale {it_codice_fiscale:JZRPGX78T11M317C}
CF: {it_codice_fiscale:SQTHXL26H07H745P}
il mio codice fiscale è {it_codice_fiscale:QTIYRA98E12U682M}, grazie
CF {it_codice_fiscale:RSSMRA85T10A562S}
cf {it_codice_fiscale:bncgli80a41f205f}
CF (omocodia) {it_codice_fiscale:RSSMRA85T10A56NH}
PESEL {pl_pesel:56060174081}
mój PESEL to {pl_pesel:77072657087}.
pesel={pl_pesel:71050797770}
PESEL (2002) {pl_pesel:02270812343}
BSN {nl_bsn:599837901}
burgerservicenummer: {nl_bsn:522396215}
mijn bsn is {nl_bsn:766655830}
BSN: {nl_bsn:2867.28.266}
CPF {br_cpf:675.947.241-19}
meu CPF é {br_cpf:074.833.237-52}.
cpf: {br_cpf:620.765.411-01}
CPF={br_cpf:99911224864}
cliente {br_cpf:77862645154}
Aadhaar {in_aadhaar:9779 0212 2501}
my aadhaar number is {in_aadhaar:6744 3131 0069}
UIDAI: {in_aadhaar:4884 1767 2915}
Aadhaar no. {in_aadhaar:922872614476}
aadhaar card: {in_aadhaar:2523-8152-2264}
PAN {in_pan:ABCPK1234F}
pan card {in_pan:BNZPM2501L}
personnummer {se_personnummer:870407-9048}
pnr: {se_personnummer:881121-3977}
född {se_personnummer:19970507-8195}
hetu {fi_hetu:070840-004D}
henkilötunnus {fi_hetu:120272-640K}
rijksregisternummer {be_rijksregister:74.07.27-611.85}
NISS {be_rijksregister:79.07.02-310.77}
身份证 {cn_resident_id:110105197106112698}
ID card {cn_resident_id:110105200001252242}
AHV {ch_ahv:756.8109.1235.78}
AVS-Nr. {ch_ahv:756.9385.7693.68}
SIN {ca_sin:118 308 980}
social insurance number: {ca_sin:149 429 458}
fødselsnummer {no_fodselsnummer:02044256897}
fnr {no_fodselsnummer:10038032157}
mail me at {email:jane.doe@example.com}
{email:o'brien@example.ie} wrote:
<{email:first.last+tag@sub.example.co.uk}>
contact: {email:info@example.de}.
mailto:{email:a@b.io}?subject=hi
{email:x_y@example.org}, {email:z@example.net}
Grüße an {email:jürgen@müller.de}
почта {email:иван@пример.рф}
"email":"{email:USER@EXAMPLE.COM}"
({email:dev-ops@my-company.engineering})
email={email:q1@ex-ample.com}&x=1
邮箱：{email:wang@example.cn}。
To: {email:team.lead@corp.example.com}; Cc: nobody
write {email:123@example.com}\\nor not
call {phone:(212) 555-0147}
US: {phone:212-555-0147}
{phone:+1 415 555 2671} is mine
ring {phone:+14155552671} now
tel. {phone:1-800-356-9377}
dial {phone:646.555.0199}
UK {phone:+44 20 7946 0958}
UK mobile {phone:07700 900123}
London {phone:020 7946 0958}
Manchester {phone:0161 496 0123}
appelle le {phone:06 12 34 56 78}
tél : {phone:01.23.45.67.89}
France {phone:+33 6 12 34 56 78}
portable {phone:0612345678}
Berlin {phone:030/12345678}
Tel.: {phone:030 12345678}
Handy {phone:0151 23456789}
DE {phone:+49 (0)30 123456}
Büro: {phone:+49-89-12345678}
España {phone:+34 612 345 678}
móvil, teléfono: {phone:+34612345678}
Italia {phone:+39 06 698 12345}
NL {phone:+31 6 12345678}
Polska {phone:+48 601 234 567}
India {phone:+91 98765 43210}
mobile {phone:98765 43210}
Brasil {phone:(11) 91234-5678}
BR {phone:+55 11 91234-5678}
東京 {phone:03-1234-5678}
携帯 {phone:090-1234-5678}
China {phone:+86 138 0013 8000}
AU {phone:+61 2 9374 4000}
CH {phone:0041 44 668 18 00}
phone number: {phone:5551234567}
whatsapp {phone:612 345 678}
fax: {phone:044 668 18 00}
SE {phone:+46 8 123 456 78}
call me at {phone:415 555 2671} please
from {ip_address:203.0.113.42}
client={ip_address:8.8.8.8} port 80
[{ip_address:198.51.100.7}]
http://{ip_address:192.168.1.20}/path
{ip_address:172.16.254.1} - - GET
v6 {ip_address:2001:db8::ff00:42:8329}
addr {ip_address:2001:0db8:85a3:0000:0000:8a2e:0370:7334} up
peer [{ip_address:fe80::1ff:fe23:4567:890a}]:443
{ip_address:203.0.113.9}:8080 answered
`;
