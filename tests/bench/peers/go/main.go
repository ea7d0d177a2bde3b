// SPDX-License-Identifier: Apache-2.0

// The service a team would write in Go: net/http, the official driver, one
// struct; with -cache, answers are kept for a second in an LRU of 50,000.
package main

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

type location struct {
	Lat float64 `bson:"lat" json:"lat"`
	Lng float64 `bson:"lng" json:"lng"`
}

type opening struct {
	Days      string `bson:"days" json:"days"`
	Open      string `bson:"open" json:"open"`
	Close     string `bson:"close" json:"close"`
	LastOrder string `bson:"lastOrder" json:"lastOrder"`
}

type instant struct{ time.Time }

func (t instant) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

type shop struct {
	ID             string    `bson:"_id" json:"id"`
	ShopID         string    `bson:"shopId" json:"shopId"`
	Name           string    `bson:"name" json:"name"`
	Category       string    `bson:"category" json:"category"`
	Address        string    `bson:"address" json:"address"`
	AreaID         string    `bson:"areaId" json:"areaId"`
	Location       location  `bson:"location" json:"location"`
	MinOrderAmount int64     `bson:"minOrderAmount" json:"minOrderAmount"`
	DeliveryTip    int64     `bson:"deliveryTip" json:"deliveryTip"`
	Hours          []opening `bson:"hours" json:"hours"`
	ImageURL       string    `bson:"imageUrl" json:"imageUrl"`
	Status         string    `bson:"status" json:"status"`
	Complete       bool      `bson:"complete" json:"complete"`
	UpdatedAt      time.Time `bson:"updatedAt" json:"-"`
	Updated        instant   `bson:"-" json:"updatedAt"`
}

const (
	cacheSize = 50000
	cacheFor  = time.Second
)

type entry struct {
	key   string
	body  []byte
	until time.Time
}

// A plain LRU with a time to live.
type cache struct {
	sync.Mutex
	order *list.List
	byKey map[string]*list.Element
}

func (c *cache) get(key string) []byte {
	c.Lock()
	defer c.Unlock()
	at, found := c.byKey[key]
	if !found {
		return nil
	}
	e := at.Value.(*entry)
	if time.Now().After(e.until) {
		c.order.Remove(at)
		delete(c.byKey, key)
		return nil
	}
	c.order.MoveToFront(at)
	return e.body
}

func (c *cache) put(key string, body []byte) {
	c.Lock()
	defer c.Unlock()
	if at, found := c.byKey[key]; found {
		c.order.Remove(at)
	}
	c.byKey[key] = c.order.PushFront(&entry{key, body, time.Now().Add(cacheFor)})
	if c.order.Len() > cacheSize {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*entry).key)
	}
}

type server struct {
	shops *mongo.Collection
	cache *cache
}

func (s *server) body(ctx context.Context, key string) ([]byte, error) {
	if s.cache != nil {
		if body := s.cache.get(key); body != nil {
			return body, nil
		}
	}
	var found shop
	err := s.shops.FindOne(ctx, bson.D{{Key: "_id", Value: key}},
		options.FindOne().SetProjection(bson.D{{Key: "_m", Value: 0}})).Decode(&found)
	if err != nil {
		return nil, err
	}
	found.Updated = instant{found.UpdatedAt}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err = enc.Encode(&found); err != nil {
		return nil, err
	}
	body := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if s.cache != nil {
		s.cache.put(key, body)
	}
	return body, nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := s.body(r.Context(), strings.TrimPrefix(r.URL.Path, "/v1/shop/"))
	if errors.Is(err, mongo.ErrNoDocuments) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=5")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func main() {
	uri := flag.String("uri", "", "of MongoDB")
	database := flag.String("database", "", "its database")
	collection := flag.String("collection", "", "its collection")
	cached := flag.Bool("cache", false, "keep answers for a second")
	flag.Parse()
	client, err := mongo.Connect(context.Background(), options.Client().ApplyURI(*uri))
	if err != nil {
		log.Fatal(err)
	}
	s := &server{shops: client.Database(*database).Collection(*collection)}
	if *cached {
		s.cache = &cache{order: list.New(), byKey: map[string]*list.Element{}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/shop/", s)
	fmt.Printf("peer listens on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
