/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shop's page, kept up to date by the read API.
 *
 *	?shop=shop-1                    whose page
 *	&api=http://127.0.0.1:8080      where queryapi answers
 *
 * The first picture is GET /v1/pages/shop/{key}; from then on one EventSource
 * tells what is newer: `message` is the whole page, `part` one part of it.
 * Texts of documents are only ever shown as text.
 */

const query = new URLSearchParams(location.search);
const key = query.get("shop") || "shop-1";
const api = query.get("api") || "http://127.0.0.1:8080";
const RETRY_MS = 2000;
const FLASH_MS = 1600;

/* What is said in a part's place, by the reason the API gives. */
const MISSING = {
	shop: {
		absent: "The shop’s details are on their way.",
		deleted: "This shop has closed for good.",
	},
	shop_products: {
		absent: "The menu is on its way.",
		deleted: "The menu has been taken down.",
	},
	review_summary: {
		absent: "Reviews are on their way.",
		deleted: "The reviews have been taken down.",
	},
};
const MISSING_ANY = {
	parked: "This needs a second look and will be back soon.",
	late: "This takes a moment longer than usual.",
};

const STATUS = {
	OPEN: "Open now",
	CLOSED: "Closed now",
	SUSPENDED: "Taking a break",
	REGISTERED: "Opening soon",
};

const won = new Intl.NumberFormat("en", {
	style: "currency", currency: "KRW", currencyDisplay: "narrowSymbol",
});
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

const $ = (id) => document.getElementById(id);

/* ---- Showing ------------------------------------------------------------- */

/* Parts that have been painted once: from then on changes are marked. */
const painted = new Set();

function flash(element) {
	element.classList.add("changed");
	clearTimeout(element.flashing);
	element.flashing = setTimeout(
		() => element.classList.remove("changed"), FLASH_MS);
}

/* An element's text; hidden when there is none. */
function put(element, value, mark) {
	const text = value ?? "";

	element.hidden = text === "";
	if (element.textContent === text)
		return;
	element.textContent = text;
	if (mark && text !== "")
		flash(element);
}

/*
 * One child of the list per item, made from the template when it is new and
 * kept when it is not, in the items' order. An id may be there twice.
 */
function putList(list, items, name, template, fill, mark) {
	const old = new Map();
	const times = new Map();

	for (const child of list.children)
		old.set(child.dataset.key, child);
	items.forEach((item, i) => {
		const n = (times.get(item[name]) ?? 0) + 1;
		const id = `${n} ${item[name]}`;
		let child = old.get(id);
		const isNew = !child;

		if (isNew) {
			child = template.content.firstElementChild.cloneNode(true);
			child.dataset.key = id;
		}
		times.set(item[name], n);
		old.delete(id);
		fill(child, item, mark && !isNew);
		if (list.children[i] !== child)
			list.insertBefore(child, list.children[i] ?? null);
		if (isNew && mark)
			flash(child);
	});
	old.forEach((child) => child.remove());
}

function amount(value) {
	return typeof value === "number" ? won.format(value) : null;
}

/* Hours are kept as the shop gave them. */
function hours(list) {
	if (!Array.isArray(list))
		return null;
	return list.map((h) => typeof h === "string" ? h :
		`${h?.days ?? ""} ${h?.open ?? ""}–${h?.close ?? ""}`.trim())
		.join(", ");
}

function showShop(shop, mark) {
	const tip = shop.deliveryTip;

	document.title = shop.name ?? key;
	put($("shop-name"), shop.name ?? key, mark);
	put($("shop-status"), STATUS[shop.status] ?? shop.status, mark);
	$("shop-status").dataset.status = shop.status ?? "";
	put($("shop-lead"), [shop.category, shop.address]
		.filter(Boolean).join(" · "), mark);
	putFact("fact-minimum", amount(shop.minOrderAmount), mark);
	putFact("fact-delivery", tip === 0 ? "Free" : amount(tip), mark);
	putFact("fact-hours", hours(shop.hours), mark);
}

/* A fact that is not known takes its label with it. */
function putFact(id, value, mark) {
	put($(id), value, mark);
	$(id).parentElement.hidden = $(id).hidden;
}

function showProducts(menu, mark) {
	put($("menu-count"), String(menu.count), mark);
	putList($("menu"), menu.products, "productId", $("product"),
		showProduct, mark);
}

function showProduct(row, item, mark) {
	const part = (name) => row.querySelector("." + name);
	const onSale = typeof item.salePrice === "number";

	row.classList.toggle("gone", item.soldOut === true);
	part("tile").textContent = Array.from(item.name ?? "?")[0];
	put(part("name"), item.name ?? item.productId, mark);
	put(part("soldout"), item.soldOut ? "Sold out" : null, mark);
	put(part("before"), onSale ? amount(item.price) : null, false);
	put(part("price"), amount(onSale ? item.salePrice : item.price), mark);
}

function showReviews(sum, mark) {
	const average = sum.average === null ? null : sum.average.toFixed(1);
	const said = sum.count === 1 ? "1 review" : `${sum.count} reviews`;

	put($("review-count"), String(sum.count), mark);
	put($("average"), average, mark);
	$("score").hidden = average === null;
	putFact("fact-rating", average === null ? "No reviews yet" :
		`★ ${average} of 10 · ${said}`, mark);
	showChart(sum.histogram);
	putList($("reviews"), sum.recent, "reviewId", $("review"),
		showReview, mark);
}

/* How many gave one point, two points, … ten. */
function showChart(histogram) {
	const most = Math.max(1, ...Object.values(histogram));
	const told = [];

	if (!$("chart").children.length)
		for (let points = 1; points <= 10; points++)
			$("chart").append(document.createElement("span"));
	Array.from($("chart").children).forEach((bar, i) => {
		const n = histogram[i + 1] ?? 0;

		bar.style.height = `${Math.max(0, n) / most * 100}%`;
		if (n > 0)
			told.push(`${i + 1} points: ${n}`);
	});
	$("chart").setAttribute("aria-label", told.join(", "));
}

function showReview(row, item, mark) {
	const part = (name) => row.querySelector(name);

	put(part(".stars"), `★ ${item.rating}`, mark);
	put(part(".who"), item.memberId, false);
	put(part("time"), day.format(new Date(item.postedAt)), false);
	part("time").dateTime = item.postedAt;
	put(part(".text"), item.text, mark);
	put(part(".reply"), item.reply, mark);
}

const SHOW = {
	shop: showShop,
	shop_products: showProducts,
	review_summary: showReviews,
};

/* One part: its document, or why there is none. */
function showPart(name, doc, reason) {
	const section = $(name);

	/* Late is not gone: what is there stays. */
	if (!SHOW[name] || (reason === "late" && painted.has(name)))
		return;
	section.classList.toggle("without", !doc);
	put(section.querySelector(".missing"), doc ? null :
		MISSING[name][reason] ?? MISSING_ANY[reason] ?? reason, false);
	if (doc) {
		SHOW[name](doc, painted.has(name));
		painted.add(name);
		put($("notice"), null, false);
		document.body.dataset.shown = "yes";
		return;
	}
	painted.delete(name);
	if (name === "shop")
		put($("shop-name"), key, false);
	if (name === "review_summary")
		putFact("fact-rating", null, false);
}

function showPage(page) {
	if (Object.keys(page.parts).length === 0)
		put($("notice"), `Nothing is known of “${key}” yet.`, false);
	for (const name of Object.keys(SHOW))
		showPart(name, page.parts[name]?.document,
			page.missing[name] ?? "absent");
}

/* ---- Asking -------------------------------------------------------------- */

function showLink(state, text) {
	$("link").dataset.state = state;
	put($("link"), text, false);
}

function later() {
	showLink("away", "Reconnecting…");
	setTimeout(start, RETRY_MS * (1 + Math.random()));
}

/* An error's detail is for people (RFC 9457). */
async function firstPicture(url) {
	const answer = await fetch(url);
	const body = await answer.json();

	if (answer.ok)
		showPage(body);
	else if (!document.body.dataset.shown)
		put($("notice"), body.detail ?? body.title, false);
}

function listen(url) {
	const source = new EventSource(url);

	source.onopen = () => showLink("live", "Live");
	source.onmessage = (event) => showPage(JSON.parse(event.data));
	source.addEventListener("part", (event) => {
		const told = JSON.parse(event.data);

		showPart(told.part, told.document, told.missing);
	});
	source.onerror = () => {
		/* It comes back by itself when a connection was lost, but not
		 * from an answer that was no stream, such as a 503. */
		showLink("away", "Reconnecting…");
		if (source.readyState === EventSource.CLOSED)
			later();
	};
}

async function start() {
	let url;

	try {
		url = new URL(`/v1/pages/shop/${encodeURIComponent(key)}`, api);
	} catch {
		put($("notice"), `?api= is no address: ${api}`, false);
		showLink("away", "Not connected");
		return;
	}
	try {
		await firstPicture(url);
	} catch {
		if (!document.body.dataset.shown)
			put($("notice"),
				`Nobody answers at ${url.origin}. Trying again…`, false);
		later();
		return;
	}
	listen(url + "/events");
}

start();
