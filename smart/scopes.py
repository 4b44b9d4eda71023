"""SMART scopes, versions 1 and 2. (Skeleton.)"""

from oauth2_provider.scopes import BaseScopes


class ScopesBackend(BaseScopes):
    def get_all_scopes(self):
        return {}

    def get_available_scopes(self, application=None, request=None, *args, **kwargs):
        return []

    def get_default_scopes(self, application=None, request=None, *args, **kwargs):
        return []
