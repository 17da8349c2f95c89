// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	sqliteFile     = "db/state.db"
	migratedSuffix = ".migrated"
	migrationPage  = 500
)

// migrateFromSQLite brings what kine kept in SQLite to the etcd that has just been started.
func (s *server) migrateFromSQLite(ctx context.Context) error {
	if !exists(s.path(sqliteFile)) {
		return nil
	}
	logInfo("Migrating content from sqlite to etcd")
	kine, source, err := s.startKine(ctx, sqliteEndpoint)
	if err != nil {
		return err
	}
	err = copyKeys(ctx, source, s.etcd.client)
	kine.end()
	if err != nil {
		return fmt.Errorf("failed to migrate content from sqlite to etcd: %w", err)
	}
	return retireSQLite(s.path(sqliteFile))
}

func copyKeys(ctx context.Context, source datastore, target *clientv3.Client) error {
	client, err := source.client()
	if err != nil {
		return err
	}
	defer client.Close()
	end := clientv3.GetPrefixRangeEnd("/registry/")
	for from := "/registry/"; from != ""; {
		page, err := client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(migrationPage))
		if err != nil {
			return err
		}
		for _, item := range page.Kvs {
			logInfo("Migrating etcd key %s", item.Key)
			if _, err := target.Put(ctx, string(item.Key), string(item.Value)); err != nil {
				return err
			}
		}
		from = ""
		if page.More {
			from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		}
	}
	return nil
}

// retireSQLite keeps the database under another name, with what SQLite may have left beside it.
func retireSQLite(path string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if !exists(path + suffix) {
			continue
		}
		if err := os.Rename(path+suffix, path+migratedSuffix+suffix); err != nil {
			return err
		}
	}
	return nil
}
