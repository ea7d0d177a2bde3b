/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin page: self-contained, polls /status once a second, draws the last
 * two minutes. Nothing is loaded from elsewhere (and the page's policy would
 * not let it).
 */
#ifndef QUERYAPI_ADMIN_PAGE_H
#define QUERYAPI_ADMIN_PAGE_H

/* clang-format off */
static const char admin_page[] =
"<!doctype html><html lang='en'><meta charset='utf-8'>"
"<title>Shopview queryapi</title><style>"
"body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:60em;"
"padding:0 1em;color:#222;background:#fafafa}"
"h1{font-size:1.3em}h2{font-size:1em;margin:1.2em 0 .2em}"
"svg{width:100%;height:110px;background:#fff;border:1px solid #ddd}"
"polyline{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}"
"table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;"
"border-bottom:1px solid #ddd}.bad{color:#b00020}.num{float:right}"
"</style>"
"<h1>Shopview queryapi <small id='about'></small></h1><p id='state'></p>"
"<h2>Requests per second<span class='num' id='rps'></span></h2>"
"<svg id='g-rps' viewBox='0 0 119 100' preserveAspectRatio='none'></svg>"
"<h2>Latency in ms: p50, p99<span class='num' id='lat'></span></h2>"
"<svg id='g-lat' viewBox='0 0 119 100' preserveAspectRatio='none'></svg>"
"<h2>Connections, in flight<span class='num' id='con'></span></h2>"
"<svg id='g-con' viewBox='0 0 119 100' preserveAspectRatio='none'></svg>"
"<h2>Views</h2><table id='views'></table>"
"<h2>Answers by status</h2><table id='codes'></table>"
"<script>"
"'use strict';"
"const N=120,$=id=>document.getElementById(id),"
"series={rps:[],p50:[],p99:[],con:[],fly:[]};let last=null,at=0;"
"const put=(k,v)=>{series[k].push(v);if(series[k].length>N)series[k].shift()};"
"function draw(id,rows){const svg=$(id);"
"const top=Math.max(1e-9,...rows.flatMap(r=>series[r[0]]))*1.1;"
"svg.replaceChildren(...rows.map(([k,color])=>{"
"const p=document.createElementNS('http://www.w3.org/2000/svg','polyline');"
"const off=N-series[k].length;p.setAttribute('stroke',color);"
"p.setAttribute('points',series[k].map((v,i)=>(i+off)+','+"
"(100-100*v/top)).join(' '));return p}))}"
"function quantile(b,c,q){const n=c.reduce((x,y)=>x+y,0);if(!n)return 0;"
"let seen=0;for(let i=0;i<c.length;i++){seen+=c[i];"
"if(seen>=q*n)return(b[i]??b[b.length-1])/1000}return 0}"
"function table(id,head,rows){const t=$(id);t.replaceChildren();"
"for(const r of [head,...rows]){const tr=t.insertRow();"
"for(const v of r)tr.insertCell().textContent=v}}"
"function show(s,now){const dt=(now-at)/1000;"
"if(last&&s.requests>=last.requests){"
"const c=s.latency_counts.map((n,i)=>n-last.latency_counts[i]);"
"put('rps',(s.requests-last.requests)/dt);"
"put('p50',quantile(s.latency_bounds_us,c,.5));"
"put('p99',quantile(s.latency_bounds_us,c,.99));"
"put('con',s.connections);put('fly',s.in_flight);"
"const end=k=>series[k][series[k].length-1];"
"$('rps').textContent=end('rps').toFixed(1);"
"$('lat').textContent='\u2264 '+end('p50')+', \u2264 '+end('p99');"
"$('con').textContent=s.connections+', '+s.in_flight;"
"draw('g-rps',[['rps','#1769aa']]);"
"draw('g-lat',[['p50','#2e7d32'],['p99','#c77700']]);"
"draw('g-con',[['con','#1769aa'],['fly','#b00020']])}"
"last=s;at=now;"
"$('about').textContent=s.version+', up '+Math.round(s.uptime_ms/1000)+' s';"
"$('state').textContent=s.ready?'ready':'not ready: '+s.reason+"
"(s.store.text?' ('+s.store.text+')':'');"
"$('state').className=s.ready?'':'bad';"
"table('views',['view','generation','version','next offsets'],"
"s.views.map(v=>[v.view,v.generation,v.version,"
"Object.entries(v.next).map(e=>e.join(': ')).join(', ')]));"
"table('codes',['status','answers'],Object.entries(s.statuses))}"
"async function poll(){try{const r=await fetch('status',{cache:'no-store'});"
"show(await r.json(),performance.now())}catch(e){"
"$('state').textContent='no answer: '+e.message;$('state').className='bad';"
"last=null}setTimeout(poll,1000)}poll();"
"</script></html>\n";
/* clang-format on */

#endif
