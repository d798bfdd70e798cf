from django import forms

from .models import Product


class ProductForm(forms.ModelForm):
    class Meta:
        model = Product
        fields = ("name", "price")


class UploadForm(forms.Form):
    title = forms.CharField(max_length=80)
    file = forms.FileField()
