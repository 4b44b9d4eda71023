from oauth2_provider.oauth2_validators import OAuth2Validator


class SmartValidator(OAuth2Validator):
    pass
