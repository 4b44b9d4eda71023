app_name = "fhirproxy"
urlpatterns: list = []
