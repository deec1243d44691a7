-- Vietnamese text and telephone numbers
SET search_path = ehr, public;

SELECT n, fold_name(n), exact_name(n), name_key(n), name_kind(n)
FROM (VALUES ('Nguyễn Thị Hoà'), (normalize('Nguyễn Thị Hòa', NFD)), ('NGUYEN THI HOA'), ('  trần   văn Lí '), ('Hoà Thị Nguyễn'),
	('BS. Lê Mĩ Thuý'), ('Ông Ích Khiêm'), ('CB NGUYỄN THI A'), ('Con bà Trần Thị B'), ('Bé gái'), ('Không rõ'), (''), ('...'),
	('H''Hen Niê'), ('Ðặng Ðức'), ('王小明 Li')) AS v (n);
-- different names stay different
SELECT a, b, fold_name(a) = fold_name(b) AS same, exact_name(a) = exact_name(b) AS same_exact
FROM (VALUES ('Hoàng', 'Huỳnh'), ('Vũ', 'Võ'), ('Phước', 'Phúc'), ('Thái', 'Thới'), ('Hòa', 'Hóa'), ('Lý', 'Lí'), ('Mỹ', 'Mĩ'), ('Quí', 'Quý'),
	('thúy', 'thuý'), ('Khỏe', 'khoẻ'), ('Thi', 'Thy'), ('Tài', 'Tày')) AS v (a, b);
SELECT fold_text('12/3 Đường Lê Lợi,  P.5, Q. Gò Vấp'), fold_text(NULL), name_key(repeat('a ', 65)), length(name_key(repeat('a ', 64)));
SELECT p, normalize_phone(p)
FROM unnest('{"0903 123 456",+84903123456,84.903.123.456,0084903123456,903123456,0168-123-4567,1681234567,"(028) 38 123 456","abc/0909111222","+1 555 123 4567",0123456789,090312345,none,""}'::text[]) AS p;
-- folding the exact form gives the folded form, for every letter that Vietnamese or its neighbours write
SELECT count(*) AS letters, count(*) FILTER (WHERE fold_name(exact_name(c)) <> fold_name(c)) AS differ,
	count(*) FILTER (WHERE exact_name(normalize(c, NFD)) <> exact_name(c)) AS differ_nfd,
	count(*) FILTER (WHERE NOT exact_name(c) IS NFC NORMALIZED) AS not_nfc
FROM (SELECT 'x' || chr(i) FROM generate_series(192, 591) AS i UNION ALL SELECT 'x' || chr(i) FROM generate_series(7680, 7935) AS i) AS l (c);
-- all of it may stand in an index
SELECT proname, provolatile, proisstrict, proparallel FROM pg_proc WHERE pronamespace = 'ehr'::regnamespace
	AND proname IN ('fold_text', 'fold_name', 'exact_name', 'name_key', 'name_kind', 'normalize_phone') ORDER BY 1;
