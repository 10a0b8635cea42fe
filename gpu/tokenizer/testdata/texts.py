"""Writes texts500.json: 500 varied texts on which tokenizers are compared. Python's standard library only.

    python texts.py > texts500.json

The list was made before the code that it tests. It has texts in some fifty languages (Article 1 of the
Universal Declaration of Human Rights and everyday sentences), emoji with joiners and modifiers, code, numbers,
runs of white space, special tokens written as text, combining marks, odd and unassigned characters, and 42
texts put together at random (seed 1) from all of these.
"""
import json
import random

LANGUAGES = [
    "All human beings are born free and equal in dignity and rights.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
    "Alla människor är födda fria och lika i värde och rättigheter.",
    "Alle mennesker er født frie og like i verdighet og rettigheter.",
    "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.",
    "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum.",
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv.",
    "Minden emberi lény szabadon születik és egyenlő méltósága és joga van.",
    "Toate ființele umane se nasc libere și egale în demnitate și în drepturi.",
    "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. İstanbul'da ıslak ığdır.",
    "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās.",
    "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis.",
    "Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt.",
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Всі люди народжуються вільними і рівними у своїй гідності та правах. Їжак з'їв ґудзик.",
    "Всички хора се раждат свободни и равни по достойнство и права.",
    "Сва људска бића рађају се слободна и једнака у достојанству и правима.",
    "Барлық адамдар тумысынан азат және қадір-қасиеті мен құқықтары тең болып дүниеге келеді.",
    "Хүн бүр төрж мэндлэхдээ эрх чөлөөтэй, адилхан нэр төртэй, ижил эрхтэй байдаг.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Ἐν ἀρχῇ ἦν ὁ λόγος, καὶ ὁ λόγος ἦν πρὸς τὸν θεόν.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար՝ իրենց արժանապատվությամբ ու իրավունքներով։",
    "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "בְּרֵאשִׁית בָּרָא אֱלֹהִים אֵת הַשָּׁמַיִם וְאֵת הָאָרֶץ",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ ٱلرَّحِيمِ",
    "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ, ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ।",
    "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે.",
    "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள்.",
    "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ.",
    "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചിട്ടുള്ളവരാണ്.",
    "සියලු මනුෂ්‍යයෝ නිදහස්ව උපත ලබා ඇත.",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "ມະນຸດທຸກຄົນເກີດມາມີສິດເສລີພາບ ແລະສະເໝີພາບກັນ",
    "លោកទាំងអស់ កើតមកមានសេរីភាព និងភាពស្មើៗគ្នា។",
    "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း မွေးဖွားလာသူများ ဖြစ်သည်။",
    "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌།",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "Semua manusia dilahirkan bebas dan samarata dari segi kemuliaan dan hak-hak.",
    "Ang lahat ng tao'y isinilang na malaya at pantay-pantay sa karangalan at mga karapatan.",
    "Binadamu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "Bí a ti bí gbogbo ènìyàn ní òmìnira; iyì àti ẹ̀tọ́ kọ̀ọ̀kan sì dọ́gba.",
    "Alle menslike wesens word vry, met gelyke waardigheid en regte, gebore.",
    "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    "人人生而自由，在尊严和权利上一律平等。",
    "人人生而自由，在尊嚴和權利上一律平等。她說：「你好！」",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "カタカナとﾊﾝｶｸｶﾅ、ﾊﾟﾋﾟﾌﾟ、漢字とひらがな。ー〜・",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "한글 자모: ㄱㄴㄷ ㅏㅑㅓ 그리고 각 (decomposed 각)",
    "Rydym yn dysgu Cymraeg: Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch.",
    "Ua hānau kū'oko'a 'ia nā kānaka apau loa; ʻŌlelo Hawaiʻi.",
    "Ĉiuj homoj estas denaske liberaj kaj egalaj laŭ digno kaj rajtoj.",
    "Gizon-emakume guztiak aske jaiotzen dira, duintasun eta eskubide berberak dituztela.",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᐃᓄᒃᑎᑐᑦ ᖃᓂᐅᔮᖅᐸᐃᑦ", "ꦲꦏ꧀ꦱꦫꦗꦮ", "𐌰𐌻𐌻𐌰𐌹 𐌼𐌰𐌽𐌽𐌰𐌽𐍃", "𓀀𓁐𓂀 𒀀𒀁", "ߒߞߏ ߞߊ߲",
]

EMOJI = [
    "😀😃😄😁😆😅🤣😂", "👍👍🏻👍🏼👍🏽👍🏾👍🏿", "👨‍👩‍👧‍👦 family", "👩🏽‍🚀 astronaut 👨🏿‍⚕️ doctor", "🏳️‍🌈 🏴‍☠️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇩🇪🇫🇷🇯🇵🇺🇸",
    "❤️ ❤ ♥️ ♥", "☺️☺", "1️⃣2️⃣#️⃣*️⃣", "I ❤️ NY 🗽!", "🤷🏻‍♀️ dunno", "🧑‍🤝‍🧑🧑🏾‍🤝‍🧑🏻", "(╯°□°)╯︵ ┻━┻", "¯\\_(ツ)_/¯", "ʕ•ᴥ•ʔ", "🫠🫡🪿🫨", "⌚️⏰⌛", "🅰️🅱️🆎🅾️", "text😀text 😀 text",
    "👁️‍🗨️ 🐻‍❄️ 🐦‍⬛",
]

CODE = [
    "func (r *Request) Write(w io.Writer) error {\n\treturn r.write(w, false, nil, nil)\n}",
    "def f(x: int = 3, *args, **kw) -> None:\n    if x >= 10:\n        return\n    print(f\"{x!r:>10}\")\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] << 2; }", "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 0x1F); }",
    "SELECT name, COUNT(*) FROM users WHERE age >= 21 GROUP BY name HAVING COUNT(*) > 1;",
    "<html><body><h1>Title</h1><p>Text &amp; more</p><table><tr><td>1</td></tr></table></body></html>",
    "{\"a\": [1, 2.5, -3e10, null, true], \"b\": {\"c\": \"d\\n\"}}", "x = lambda a, b: a**b if a != b else ~a",
    "git commit -m \"fix: don't crash\" && git push origin HEAD:refs/heads/main", "ls -la | grep '^d' | awk '{print $9}' > out.txt 2>&1",
    "https://example.com/path/to/page?query=value&other=%20x#fragment", "user.name+tag@sub.example.co.uk", "C:\\Users\\Name\\file.txt",
    "/usr/local/lib/python3.11/site-packages", "camelCaseIdentifier snake_case_identifier SCREAMING_CASE kebab-case-id PascalCase2",
    "let mut v: Vec<Option<&'static str>> = vec![None; 8];", "template<typename T> auto g(T&& t) -> decltype(t.x()) { return t.x(); }",
    "\\begin{equation} E = mc^2 \\end{equation} $\\alpha_{i}^{2}$", "console.log(`total: ${a + b}`); // comment", "/* block\n * comment\n */",
    "0x7fff_ffff 0b1010 0o17 1_000_000 1e-9 .5 5.", "if(a&&b||!c){d?.e??f}", "<?php echo $x['y']->z(); ?>", "@decorator\nasync def main(): await asyncio.sleep(1)",
    "---\ntitle: Test\ntags: [a, b]\n---\n\n# Heading\n\n* item *emph* **strong** `code`\n1. one\n2. two\n\n```go\nx := 1\n```\n",
    "|a|b|\n|---|---|\n|1|2|", "!!!???...,,,;;;:::", "a+b=c;a-b!=c;a*b==c;a/b<=c;a%b>=c", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "\x1b[31mred\x1b[0m", "diff --git a/x b/x\n@@ -1,3 +1,4 @@\n-old\n+new\n", "\t\tif err != nil {\n\t\t\treturn err\n\t\t}",
]

DIGITS = [
    "0", "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678901234567890", "3.14159265358979", "1,000,000.00", "1 000 000", "-273.15°C", "50%", "$19.99", "€1.234,56", "£3", "¥500",
    "2024-02-29T23:59:59.999Z", "12:34:56", "+1 (555) 010-9999", "192.168.0.1", "::1", "№ 7", "½ ⅓ ¼ ⅞", "x² + y³ = z⁴", "H₂O CO₂", "Ⅷ ⅻ ↀ", "①②③ ⑩ ⓪", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３", "一二三四五六七八九十百千万", "1st 2nd 3rd 4th", "a1b2c3", "1a2b3c", "v1.2.3-rc.4+build.5", "007", "1/2 3/4", "10^100",
]

SPACES = [
    "", " ", "  ", "   ", "    ", "     ", "        ", " " * 16, " " * 31, " " * 32, " " * 33, " " * 40, " " * 64, " " * 100, "\n", "\n\n", "\n\n\n", "\n" * 10, "\n" * 31, "\n" * 32, "\n" * 40, "\t", "\t\t", "\t\t\t\t", "\t" * 31, "\t" * 33, "\r", "\r\n", "\r\n\r\n", "\n\r",
    " a", "  a", "   a", "    a", "a ", "a  ", "a   ", "a b", "a  b", "a   b", "a    b", "a\nb", "a\n\nb", "a \nb", "a\n b", "a \n b", "a\tb", "a\t\tb", "a \t b", " \n ", "\n \n", " \t\n\r ", "a\r\nb\r\n", "  leading and   multiple    spaces ", "trailing newline\n", "\nleading newline",
    "non\u00a0breaking", "\u00a0\u00a0", "thin\u2009space", "em\u2003space", "ideographic\u3000space", "line\u2028sep\u2029par", "zero\u200bwidth", "nel\u0085x", "vt\u000bff\u000cx", "ogham\u1680x", "narrow\u202fnb", "math\u205fsp", "\ufeffbom", "word\u2060joiner",
    "def f():\n    x\n        y\n            z\n", "col1    col2\tcol3", "end.  Start", "end.\n\nStart", "  \n  \n  ", "a" + " " * 20 + "b" + " " * 35 + "c", "\n    \n", "x" + "\n" * 5 + "y" + "\n" * 33 + "z",
]

SPECIAL = [
    "<s>", "</s>", "<unk>", "<pad>", "<bos>", "<eos>", "<mask>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "<|assistant|>", "<|user|>", "<|system|>", "<|end|>", "[INST]", "[/INST]", "<<SYS>>", "[CLS]", "[SEP]", "<unused0>", "<unused99>", "<0x0A>", "<0x41>", "▁", "▁▁", "▁hello", "a▁b", "Ġ", "Ġhello", "Ċ",
    "<s>hello</s>", "hello</s>world", "</s><s>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST]", "<|user|>\nHi<|end|>\n<|assistant|>\n", "< s >", "<S>", "</ s>", "<|endoftext|", "|endoftext|>", "<|endoftext|><|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", " <s> ", "  </s>  x", "<|im_end|>\n\n", "<repo_name>x<file_sep>y", "<filename>a.py", "<jupyter_code>1+1<jupyter_output>2<empty_output>", "<gh_stars>100-1000", "<issue_start><issue_comment>text<issue_closed>", "[multimodal]", "<start_of_image><end_of_image>", "<b>bold</b><i>it</i>", "<table>\n<tr><td>x</td></tr>\n</table>", "<h1>a</h1>", "<unk><unk>", "<pad><pad>hello", "x<mask>y", "<unused6>z", "<|extra_0|>", "<tool_call>\n{}\n</tool_call>", "<think>hm</think>",
]

MARKS = [
    "e\u0301", "\u00e9", "cafe\u0301 café", "n\u0303 ñ", "a\u0308o\u0308u\u0308 äöü", "A\u030a Å \u212b", "q\u0323\u0307", "q\u0307\u0323", "s\u0323\u0307 \u1e69", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!", "x" + "\u0301" * 40, "\u0301", "\u0301a", " \u0301", "ﬁ ﬂ ﬀ ﬃ ﬆ", "Ǆ ǅ ǆ", "ﷺ", "㎏ ㍿ ㋿", "Å Ω K", "ｆｕｌｌｗｉｄｔｈ ＡＢＣ", "\u1100\u1161\u11a8", "가\u11a8", "각", "क़ \u0915\u093c", "ড়", "\u0f71\u0f72 \u0f73", "ẛ̣", "ſt ß ẞ", "Ⅳ", "İi̇ Iı", "ΑΣ ας", "\u0344", "\u2126 \u03a9", "ệ ê\u0323 ẹ\u0302",
    "'s 't 're 've 'm 'll 'd", "'S 'T 'RE 'VE 'M 'LL 'D", "'ſ 'ſt", "don't DON'T Don'T we'LL", "’s ‘quoted’ “double” „low“ «angle» ‹single›", "it''s", "'", "''", "'s's", "rock'n'roll", "x'y'z", "O'Neill's",
]

ODD = [
    "\x00", "a\x00b", "\x01\x02\x03", "\x7f", "\x80\x9f", "\u00ad soft\u00adhyphen", "\u200c\u200d\u200e\u200f", "\u202a\u202b\u202c\u202d\u202e rtl \u202c", "\ufffd", "\ufffe\uffff", "\ue000\uf8ff", "\U0001f9ff\U000e0001", "\U0010ffff", "\U000f0000", "\u0378\u0379", "\U0002a6d6\U0002b820\U00030000", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕋𝕖𝕩𝕥 𝒮𝒸𝓇𝒾𝓅𝓉", "⠓⠑⠇⠇⠕", "♔♕♖♗♘♙", "░▒▓█▄▀■□▪▫", "─│┌┐└┘├┤┬┴┼", "←↑→↓↔↕⇐⇒⇔", "∀x∈ℝ ∃y: x²+y²≤1 ∧ ∑ᵢ₌₁ⁿ aᵢ → ∞", "∫₀^∞ e^{-x²} dx = √π/2", "♩♪♫♬♭♮♯", "☀☁☂☃☄★☆", "©®™℠℗", "§¶†‡•‣", "…‥–—―‖", "‰‱′″‴", "㊀㊁㊂", "龘靐齉", "𠮷野家", "ꙮ", "﷽", "𒐫", "a̐éö̲", "ﾞﾟ", "\u180e\u200b\ufeff", "\U0001d173\U0001d174",
    "antidisestablishmentarianism", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababababababababababab", "=" * 80, "-" * 33, "." * 50, "ha" * 50, "中" * 40, "é" * 30, "😀" * 20, "0" * 50, "_" * 17, "https" * 10,
]

SENTENCES = [
    "The request's URL isn't valid; see https://example.com/a?b=c&d=1234567.", "She said, \"I'll be there at 5:30 p.m.\" and left.", "Mr. O'Connor paid $1,299.99 (plus 19% VAT) on 3/4/2021.", "What?! No... really?", "HELLO WORLD", "hello world", "Hello World", "hELLO wORLD", "The quick brown fox jumps over the lazy dog.", "A", "I", "a", "the", " the", "The", "Once upon a time, in a land far, far away, there lived a king.", "To be, or not to be: that is the question.", "E=mc²; F=ma; PV=nRT.", "naïve café résumé coöperate façade", "Straße, Größe, Übung", "Łódź, Kraków, Gdańsk", "São Paulo, Brasília", "Zürich—Genève", "mother-in-law's well-known state-of-the-art", "e.g. i.e. etc. vs. cf.", "U.S.A. U.K. E.U. Ph.D.", "@user #hashtag RT via", "lol omg wtf brb :-) ;) :D xD <3", "I am so happy today, everything is wonderful!", "It was a sad and rainy day, and nothing went well.", "Arr, matey! Hoist the sails, ye scurvy dog!", "What is the capital of France? Paris.", "In 1969, Apollo 11 landed on the Moon.", "One\nTwo\nThree", "Dear Sir or Madam,\n\nI am writing to you…\n\nYours faithfully,\nA. N. Other", "Q: Why?\nA: Because.", "- one\n- two\n  - nested\n", "mixed 中文 and English とか 한국어 και ελληνικά", "Москва2024год", "abc中文def", "中文123中文", "ไทยEnglishไทย", "العربية123English", "שלום world 你好", "price:100¥/kg", "50km/h→31mph",
]

texts = []
for group in (LANGUAGES, EMOJI, CODE, DIGITS, SPACES, SPECIAL, MARKS, ODD, SENTENCES):
    texts += [t for t in group if t not in texts]
fixed = list(texts)
rng = random.Random(1)
glue = ["", " ", "  ", "\n", "\n\n", "\t", ", ", ". ", "'", "-", "\u00a0", "▁"]
while len(texts) < 500:
    parts = []
    for _ in range(rng.randint(2, 6)):
        t = rng.choice(fixed)
        if t and rng.random() < 0.5:
            i = rng.randrange(len(t))
            t = t[i:i + rng.randint(1, 25)]
        parts += [t, rng.choice(glue)]
    t = "".join(parts)[:300]
    if t not in texts:
        texts.append(t)
print(json.dumps(texts, ensure_ascii=True, indent=0))
